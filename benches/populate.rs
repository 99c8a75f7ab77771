//! The rows of each table, a chunk at a time, as one thread writes them for LOAD DATA.

use bookstore::Scale;
use bookstore::populate::Population;
use bookstore::schema::Table;
use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};

/// Large enough that the first chunk of each table, the countries' apart, is a full one.
const SCALE: Scale = Scale { items: 100_000, browsers: 20 };

fn chunks(criterion: &mut Criterion) {
    let population = Population { scale: SCALE, seed: 1 };
    let mut group = criterion.benchmark_group("populate");
    group.sample_size(10);
    let mut out = Vec::new();
    for table in Table::ALL.into_iter().filter(|table| population.chunks(*table) > 0) {
        let rows = population.write_chunk(table, 0, &mut out);
        group.throughput(Throughput::Elements(rows));
        group.bench_function(BenchmarkId::from_parameter(table.name()), |bencher| {
            bencher.iter(|| {
                out.clear();
                population.write_chunk(table, 0, &mut out)
            });
        });
    }
    group.finish();
}

criterion_group! { name = benches; config = benches::settings(); targets = chunks }
criterion_main!(benches);
