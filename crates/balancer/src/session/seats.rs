//! How many clients each account has, over all threads.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

/// Clients by account. Locked at login and at the end of a session only.
#[derive(Debug, Default)]
pub struct Seats(Mutex<HashMap<String, usize>>);

/// One client's, until this is dropped.
#[derive(Debug)]
pub struct Seat {
    seats: Arc<Seats>,
    account: String,
}

impl Seats {
    /// A seat for one more client of an account that may have `limit`; `None`: it has as many.
    pub fn take(self: &Arc<Self>, account: &str, limit: Option<usize>) -> Option<Seat> {
        let mut taken = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let count = taken.entry(account.to_owned()).or_default();
        if limit.is_some_and(|limit| *count >= limit) {
            return None;
        }
        *count += 1;
        Some(Seat { seats: self.clone(), account: account.to_owned() })
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        let mut taken = self.seats.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(count) = taken.get_mut(&self.account) {
            *count -= 1;
            if *count == 0 {
                taken.remove(&self.account);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_account_has_so_many_and_no_more() {
        let seats = Arc::new(Seats::default());
        let one = seats.take("shop", Some(1)).expect("free");
        assert!(seats.take("shop", Some(1)).is_none());
        let other = seats.take("root", Some(1)).expect("another account");
        drop((one, other));
        assert!(seats.0.lock().unwrap().is_empty());
        assert!(seats.take("shop", Some(1)).is_some());
    }
}
