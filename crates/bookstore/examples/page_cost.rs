//! What each page costs on an idle server, seen from one connection:
//! `cargo run --release -p bookstore --example page_cost -- mysql://root@127.0.0.1:3306/tpcw 1000 10 [pages]`.
//! Loads the shop if the database holds none.
#![expect(clippy::print_stdout, reason = "a program for people")]

use std::time::Duration;

use bookstore::load::{LoadOptions, load};
use bookstore::plain::Plain;
use bookstore::store::{Statement, Store, StoreError, Written};
use bookstore::{Input, Interaction, Mix, Scale, Shop, Visit, perform, prepare};
use mysql_async::{Conn, Opts, OptsBuilder, Row, Value};
use tokio::time::Instant;

/// Counts what goes to the server and back.
struct Counting {
    inner: Plain,
    round_trips: u32,
}

impl Store for Counting {
    async fn rows(
        &mut self,
        statement: &'static Statement,
        params: Vec<Value>,
    ) -> Result<Vec<Row>, StoreError> {
        self.round_trips += 1;
        self.inner.rows(statement, params).await
    }
    async fn write(
        &mut self,
        statement: &'static Statement,
        params: Vec<Value>,
    ) -> Result<Written, StoreError> {
        self.round_trips += 1;
        self.inner.write(statement, params).await
    }
    async fn begin(&mut self) -> Result<(), StoreError> {
        self.round_trips += 1;
        self.inner.begin().await
    }
    async fn commit(&mut self) -> Result<(), StoreError> {
        self.round_trips += 1;
        self.inner.commit().await
    }
    async fn rollback(&mut self) -> Result<(), StoreError> {
        self.round_trips += 1;
        self.inner.rollback().await
    }
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut arguments = std::env::args().skip(1);
    let url = arguments.next().ok_or("which database? mysql://user@host:port/name")?;
    let mut number = |default: u32| arguments.next().map_or(Ok(default), |text| text.parse());
    let (scale, pages) = (Scale { items: number(1000)?, browsers: number(10)? }, number(10_000)?);
    let opts: Opts = OptsBuilder::from_opts(Opts::from_url(&url)?)
        .prefer_socket(false)
        .stmt_cache_size(128)
        .max_allowed_packet(Some(16 << 20))
        .wait_timeout(Some(28_800))
        .into();
    load(opts.clone(), LoadOptions::new(scale, 1), |_| {}).await?;
    let plain = Plain::new(Conn::new(opts).await?, Duration::from_secs(60));
    let mut store = Counting { inner: plain, round_trips: 0 };

    let shop = Shop::new(scale);
    let (mut draws, mut input) = (Input::new(1), Input::new(2));
    let mut visit = Visit::new(&shop, &mut input);
    let mut page = Interaction::Home;
    let mut costs: [Vec<(Duration, u32)>; 14] = Default::default();
    for _ in 0..pages {
        let request = prepare(page, &shop, &visit, &mut input);
        store.round_trips = 0;
        let begin = Instant::now();
        perform(&request, &mut store, &mut visit).await?;
        costs[page.index()].push((begin.elapsed(), store.round_trips));
        page = Mix::Ordering.transitions().next(page, draws.uniform(1, 9999) as u16);
    }
    println!(
        "{:<22} {:>6} {:>12} {:>9} {:>9} {:>9}",
        "page", "count", "round trips", "p50 ms", "p90 ms", "max ms"
    );
    for interaction in Interaction::ALL {
        let costs = &mut costs[interaction.index()];
        costs.sort_unstable();
        let ms = |share: f64| match costs.len() {
            0 => f64::NAN,
            count => costs[((count - 1) as f64 * share) as usize].0.as_secs_f64() * 1e3,
        };
        let trips = costs.iter().map(|cost| f64::from(cost.1)).sum::<f64>() / costs.len().max(1) as f64;
        println!(
            "{:<22} {:>6} {:>12.2} {:>9.3} {:>9.3} {:>9.3}",
            interaction.name(),
            costs.len(),
            trips,
            ms(0.5),
            ms(0.9),
            ms(1.0)
        );
    }
    Ok(())
}
