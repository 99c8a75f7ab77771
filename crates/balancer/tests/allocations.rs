//! What a statement costs in allocations, on all threads of the balancer together: next to nothing, and nothing a row.

mod nodes;
mod raw;

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use balancer::wire::capabilities::Capabilities;
use balancer::wire::packet::HEADER;
use mysql_async::prelude::Queryable;
use nodes::{Front, Node};
use raw::{Raw, execute};

/// Counts what threads allocate that have not said that they are not meant.
struct Counting;

static ALLOCATIONS: AtomicU64 = AtomicU64::new(0);

thread_local! {
    static EXEMPT: Cell<bool> = const { Cell::new(false) };
}

fn count() {
    if !EXEMPT.try_with(Cell::get).unwrap_or(true) {
        ALLOCATIONS.fetch_add(1, Relaxed);
    }
}

// SAFETY: all is left to the system's allocator; counting touches neither memory nor layout.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        count();
        // SAFETY: the caller's promises are passed on.
        unsafe { System.alloc(layout) }
    }

    unsafe fn realloc(&self, at: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        count();
        // SAFETY: the caller's promises are passed on.
        unsafe { System.realloc(at, layout, size) }
    }

    unsafe fn dealloc(&self, at: *mut u8, layout: Layout) {
        // SAFETY: the caller's promises are passed on.
        unsafe { System.dealloc(at, layout) }
    }
}

#[global_allocator]
static COUNTING: Counting = Counting;

/// So often each statement is run.
const TIMES: u64 = 500;

/// Allocations of the balancer for a command that is run many times, in all; it has been run before.
async fn allocations(client: &mut Raw, command: &[u8]) -> u64 {
    for _ in 0..20 {
        assert_ne!(client.ask(command).await[HEADER], 0xFF);
    }
    let before = ALLOCATIONS.load(Relaxed);
    for _ in 0..TIMES {
        client.ask(command).await;
    }
    ALLOCATIONS.load(Relaxed) - before
}

#[tokio::test]
async fn a_statement_allocates_next_to_nothing_and_a_row_nothing() {
    EXEMPT.set(true);
    let node = Node::start(1).await;
    let mut root = node.root().await;
    root.query_drop("CREATE TABLE tpcw.item (id INT PRIMARY KEY, title VARCHAR(60))").await.unwrap();
    root.query_drop("INSERT INTO tpcw.item SELECT seq, REPEAT('x', 50) FROM tpcw.seq_1_to_2000")
        .await
        .unwrap();
    let front = Front::start_with(&[&node], |config| config.workers = 1);
    let mut client = Raw::connect(front.plane.address, Capabilities::DEPRECATE_EOF).await;
    let text = b"\x03SELECT title FROM item WHERE id = 7";
    let id = client.prepare("SELECT title FROM item WHERE id = 7").await;
    let cases: [(&str, Vec<u8>); 3] = [
        ("a text", text.to_vec()),
        ("an execute", execute(id, 0, &[])),
        ("a text with a hint", b"\x03SELECT /* tpcw: role=primary */ title FROM item WHERE id = 7".to_vec()),
    ];
    for (name, command) in cases {
        let counted = allocations(&mut client, &command).await;
        // Now and then a buffer has come to its end and begins anew; once a second the thread looks after its pools.
        assert!(counted <= TIMES / 10, "{name}: {counted} allocations for {TIMES} statements");
    }
    let one = allocations(&mut client, b"\x03SELECT * FROM item LIMIT 1").await;
    let many = allocations(&mut client, b"\x03SELECT * FROM item LIMIT 2000").await;
    // Longer answers have to grow the buffer that they pass through, a few times each and not once a row.
    assert!(many.saturating_sub(one) <= 20 * TIMES, "{one} for one row each, {many} for 2,000");
}
