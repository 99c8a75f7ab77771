//! What the first failed try of each class said: beside the counts, one sample for people.

use std::collections::BTreeMap;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU8, Ordering};

use bookstore::store::{FailureClass, StoreError};

/// The longest message that is kept, in characters.
const LONGEST: usize = 300;
const _: () = assert!(FailureClass::ALL.len() <= 8, "a bit for each class");

/// The first message of each class. After the first, a failure costs one look at a byte.
#[derive(Debug, Default)]
pub(crate) struct FirstMessages {
    /// A bit for each class that has one.
    known: AtomicU8,
    messages: Mutex<BTreeMap<FailureClass, String>>,
}

impl FirstMessages {
    /// Keeps the message if it is the first of its class.
    pub(crate) fn note(&self, error: &StoreError) {
        let bit = 1 << error.class.index();
        if self.known.fetch_or(bit, Ordering::Relaxed) & bit == 0 {
            let code = error.code.map_or(String::new(), |code| format!("{code}: "));
            let message = code.chars().chain(error.message.chars()).take(LONGEST).collect();
            self.messages.lock().unwrap_or_else(|broken| broken.into_inner()).insert(error.class, message);
        }
    }

    /// All of them, by the name of their class.
    pub(crate) fn told(&self) -> BTreeMap<String, String> {
        let messages = self.messages.lock().unwrap_or_else(|broken| broken.into_inner());
        messages.iter().map(|(class, message)| (class.name().to_owned(), message.clone())).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_of_each_class_is_kept_and_no_longer_than_it_may_be() {
        let messages = FirstMessages::default();
        let error = |class, code, message: &str| StoreError { class, code, message: message.to_owned() };
        messages.note(&error(FailureClass::Deadlock, Some(1213), "Deadlock found"));
        messages.note(&error(FailureClass::Deadlock, Some(1213), "another"));
        messages.note(&error(FailureClass::TimedOut, None, &"é".repeat(1_000)));
        let told = messages.told();
        assert_eq!(told["deadlock"], "1213: Deadlock found");
        assert_eq!((told.len(), told["timed_out"].chars().count()), (2, LONGEST));
    }
}
