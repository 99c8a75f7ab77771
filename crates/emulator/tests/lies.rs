//! The auditor audited: every kind of lie that a node can tell, some seeds of each. `cargo run --release -p emulator --example
//! lies` tells each a hundred times.

mod common;
mod liar;

use common::Shop;
use liar::Lie;
use liar::trials::{Tampering, honest, lied_to, tampered};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_node_that_lies_to_its_clients_is_caught() {
    let shop = Shop::open(2).await;
    for lie in Lie::ALL {
        let mut told = 0;
        for seed in 1..10 {
            let Some((caught, found)) = lied_to(&shop, lie, seed).await else { continue };
            assert!(caught, "{lie:?}, seed {seed}: {found}");
            told += 1;
            if told == 2 {
                break;
            }
        }
        assert_eq!(told, 2, "{lie:?} found no opportunity");
    }
    let folder = tempfile::tempdir().expect("a temporary folder");
    honest(&shop, folder.path()).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_node_whose_data_lie_is_caught() {
    let shop = Shop::open(2).await;
    let folder = tempfile::tempdir().expect("a temporary folder");
    let outcome = honest(&shop, folder.path()).await;
    for how in Tampering::ALL {
        for seed in 1..4 {
            let (caught, found) = tampered(&shop, &outcome, how, seed).await;
            assert!(caught, "{how:?}, seed {seed}: {found}");
        }
    }
}
