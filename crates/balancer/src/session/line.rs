//! Statements that wait for a primary stand in line, one line a thread: they are released in the order of their arrival
//! and a few at a time, so that a node that has just been promoted is not met by all of them at once.

use std::cell::Cell;
use std::rc::Rc;
use std::sync::Arc;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::Instant;

/// So many of a thread look for the primary at the same time; each of them may have to connect first.
pub const ABREAST: usize = 8;

/// The line of one thread.
#[derive(Debug)]
pub struct Line {
    turns: Arc<Semaphore>,
    standing: Cell<usize>,
}

/// It is somebody's turn, until this is dropped.
#[derive(Debug)]
pub struct Turn {
    _permit: OwnedSemaphorePermit,
    _place: Place,
}

/// Counts one in line, however that ends.
#[derive(Debug)]
struct Place(Rc<Line>);

impl Default for Line {
    fn default() -> Self {
        Self { turns: Arc::new(Semaphore::new(ABREAST)), standing: Cell::new(0) }
    }
}

impl Line {
    /// Whether nobody stands in line, and nobody's turn it is.
    pub fn is_empty(&self) -> bool {
        self.standing.get() == 0
    }

    /// Waits for the turn; `None` when it has not come by then.
    pub async fn join(self: &Rc<Self>, until: Instant) -> Option<Turn> {
        self.standing.set(self.standing.get() + 1);
        let place = Place(self.clone());
        // First come, first served: that is what this semaphore promises.
        let permit = tokio::time::timeout_at(until, self.turns.clone().acquire_owned()).await;
        let permit = permit.ok()?.expect("nobody closes a line");
        Some(Turn { _permit: permit, _place: place })
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.0.standing.set(self.0.standing.get() - 1);
    }
}

#[cfg(test)]
mod tests {
    use std::cell::RefCell;
    use std::time::Duration;

    use tokio::task::LocalSet;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn turns_come_in_the_order_of_arrival_and_a_few_at_a_time() {
        let (line, order) = (Rc::new(Line::default()), Rc::new(RefCell::new(Vec::new())));
        let most = Rc::new(Cell::new((0, 0)));
        let until = Instant::now() + Duration::from_secs(60);
        let set = LocalSet::new();
        for number in 0..100 {
            let (line, order, most) = (line.clone(), order.clone(), most.clone());
            set.spawn_local(async move {
                let turn = line.join(until).await.expect("there is time");
                order.borrow_mut().push(number);
                let now = most.get().0 + 1;
                most.set((now, most.get().1.max(now)));
                tokio::time::sleep(Duration::from_millis(10)).await;
                most.set((most.get().0 - 1, most.get().1));
                drop(turn);
            });
        }
        set.await;
        assert_eq!(*order.borrow(), (0..100).collect::<Vec<_>>());
        assert_eq!(most.get().1, ABREAST);
        assert!(line.is_empty());
    }

    #[tokio::test(start_paused = true)]
    async fn who_waits_for_too_long_leaves_and_does_not_hold_up_the_others() {
        let line = Rc::new(Line::default());
        let soon = || Instant::now() + Duration::from_millis(5);
        let mut turns = Vec::new();
        for _ in 0..ABREAST {
            turns.push(line.join(soon()).await.expect("free"));
        }
        assert!(line.join(soon()).await.is_none());
        turns.pop();
        assert!(line.join(soon()).await.is_some());
        turns.clear();
        assert!(line.is_empty());
    }
}
