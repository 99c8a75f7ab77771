//! The end of a transaction, good or bad.

use crate::store::{FailureClass, Store, StoreError};

/// COMMIT, and ROLLBACK should it be refused.
pub(super) async fn keep<S: Store, T>(store: &mut S, value: T) -> Result<T, StoreError> {
    match store.commit().await {
        Ok(()) => Ok(value),
        Err(error) => Err(undo(store, error).await),
    }
}

/// ROLLBACK after an error that leaves the connection usable; the server rolls back the others by itself when it notices
/// that the connection is gone. Returns the error to pass on.
///
/// A transaction that cannot be rolled back may still hold its locks: its connection must be given up, so the class
/// becomes one that says so.
pub(super) async fn undo<S: Store>(store: &mut S, error: StoreError) -> StoreError {
    if !error.class.connection_is_usable() {
        return error;
    }
    match store.rollback().await {
        Ok(()) => error,
        Err(worse) => {
            let usable = worse.class.connection_is_usable();
            let class = if usable { FailureClass::ConnectionLost } else { worse.class };
            StoreError {
                class,
                code: worse.code,
                message: format!("{}, rolling back after {error}", worse.message),
            }
        }
    }
}
