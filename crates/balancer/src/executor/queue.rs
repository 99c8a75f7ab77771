//! What is wanted and not begun: most urgent first, then in order of arrival. Bounded; duplicates merge.

use crate::request::{Priority, Request};

/// Requests that may wait.
pub const BOUND: usize = 64;

/// What became of a request that was handed to the queue.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pushed {
    /// It waits.
    Queued,
    /// The same was waiting already; the earlier one stays, as urgent as the more urgent of both.
    Merged,
    /// No room for anything of its priority.
    Full,
}

/// The queue.
#[derive(Debug, Default)]
pub struct Queue {
    /// Sorted: most urgent first, equals in order of arrival.
    waiting: Vec<Request>,
}

impl Queue {
    /// Takes a request in. A full queue gives up its least urgent, newest one for a more urgent one.
    pub fn push(&mut self, request: Request) -> Pushed {
        if let Some(at) = self.waiting.iter().position(|waiting| waiting.action == request.action) {
            if self.waiting[at].priority() >= request.priority() {
                return Pushed::Merged;
            }
            let mut earlier = self.waiting.remove(at);
            earlier.urgent = request.urgent;
            self.insert(earlier);
            return Pushed::Merged;
        }
        if self.waiting.len() == BOUND {
            if self.waiting.last().is_none_or(|last| last.priority() >= request.priority()) {
                return Pushed::Full;
            }
            self.waiting.pop();
        }
        self.insert(request);
        Pushed::Queued
    }

    fn insert(&mut self, request: Request) {
        let at = self.waiting.partition_point(|waiting| waiting.priority() >= request.priority());
        self.waiting.insert(at, request);
    }

    /// Takes out the first request that `may` be begun now.
    pub fn pop(&mut self, may: impl Fn(&Request) -> bool) -> Option<Request> {
        let at = self.waiting.iter().position(may)?;
        Some(self.waiting.remove(at))
    }

    /// What waits, first in line first.
    pub fn iter(&self) -> impl Iterator<Item = &Request> {
        self.waiting.iter()
    }

    /// How many wait.
    pub fn len(&self) -> usize {
        self.waiting.len()
    }

    /// Whether nothing waits.
    pub fn is_empty(&self) -> bool {
        self.waiting.is_empty()
    }

    /// The urgency of the first in line.
    pub fn first(&self) -> Option<Priority> {
        self.waiting.first().map(Request::priority)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::request::Action::*;

    fn drain(queue: &mut Queue) -> Vec<crate::request::Action> {
        std::iter::from_fn(|| queue.pop(|_| true)).map(|request| request.action).collect()
    }

    #[test]
    fn availability_goes_first_then_the_operator_then_out_then_in() {
        let mut queue = Queue::default();
        for action in [ScaleIn(None), ScaleOut(None), Drain("n3".into()), ReplacePrimary, Rejoin("n2".into())]
        {
            assert_eq!(queue.push(Request::new(action, "")), Pushed::Queued);
        }
        let expected =
            [ReplacePrimary, Rejoin("n2".into()), Drain("n3".into()), ScaleOut(None), ScaleIn(None)];
        assert_eq!(drain(&mut queue), expected);
    }

    #[test]
    fn duplicates_merge_and_take_the_greater_urgency() {
        let mut queue = Queue::default();
        queue.push(Request::new(Drain("n3".into()), ""));
        queue.push(Request::new(ScaleOut(None), "slow"));
        assert_eq!(queue.push(Request::new(ScaleOut(None), "slower")), Pushed::Merged);
        assert_eq!(queue.push(Request::urgent(ScaleOut(None), "too few")), Pushed::Merged);
        assert_eq!(queue.iter().map(|r| r.cause.as_str()).collect::<Vec<_>>(), ["slow", ""]);
        assert_eq!(queue.len(), 2);
    }

    #[test]
    fn a_full_queue_gives_up_the_least_urgent() {
        let mut queue = Queue::default();
        for n in 0..BOUND {
            queue.push(Request::new(ScaleIn(Some(format!("n{n}").as_str().into())), ""));
        }
        assert_eq!(queue.push(Request::new(ScaleIn(None), "")), Pushed::Full);
        assert_eq!(queue.push(Request::new(ReplacePrimary, "")), Pushed::Queued);
        assert_eq!((queue.len(), queue.first()), (BOUND, Some(Priority::Availability)));
        assert!(queue.iter().all(|request| request.action != ScaleIn(Some("n63".into()))));
    }

    #[test]
    fn what_may_not_begin_yet_is_passed_over_and_keeps_its_place() {
        let mut queue = Queue::default();
        queue.push(Request::new(Rejoin("n2".into()), ""));
        queue.push(Request::new(ScaleOut(None), ""));
        let popped = queue.pop(|request| request.action == ScaleOut(None)).map(|request| request.action);
        assert_eq!(popped, Some(ScaleOut(None)));
        assert_eq!(drain(&mut queue), [Rejoin("n2".into())]);
    }
}
