//! What sessions hold in buffers, counted only where one outgrows what every session may have.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering::Relaxed};

/// What each may hold uncounted, in bytes: most never hold more.
pub const BASE: usize = 64 << 10;

/// What all may hold.
#[derive(Debug)]
pub struct Memory {
    limit: usize,
    used: AtomicUsize,
    refused: AtomicU64,
}

/// There is no room for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OutOfMemory;

impl Memory {
    /// So many bytes in all.
    pub fn new(limit: usize) -> Self {
        Self { limit, used: AtomicUsize::new(0), refused: AtomicU64::new(0) }
    }

    /// Bytes that are held now beyond the base of each.
    pub fn used(&self) -> usize {
        self.used.load(Relaxed)
    }

    /// How often somebody was refused more.
    pub fn refused(&self) -> u64 {
        self.refused.load(Relaxed)
    }

    fn take(&self, more: usize) -> Result<(), OutOfMemory> {
        let fits = |used: usize| used.checked_add(more).filter(|sum| *sum <= self.limit);
        self.used.fetch_update(Relaxed, Relaxed, fits).map(drop).map_err(|_| {
            self.refused.fetch_add(1, Relaxed);
            OutOfMemory
        })
    }
}

/// One holder's part, given back when it is dropped.
#[derive(Debug)]
pub struct Held {
    memory: Arc<Memory>,
    counted: usize,
}

impl Held {
    /// Holds nothing yet.
    pub fn new(memory: Arc<Memory>) -> Self {
        Self { memory, counted: 0 }
    }

    /// Holds so many bytes from now on. Touches nothing shared as long as that is no more than the base.
    ///
    /// # Errors
    /// All sessions together would hold too much; it holds what it held before.
    pub fn set(&mut self, bytes: usize) -> Result<(), OutOfMemory> {
        let counted = bytes.saturating_sub(BASE);
        if counted > self.counted {
            self.memory.take(counted - self.counted)?;
        } else if counted < self.counted {
            self.memory.used.fetch_sub(self.counted - counted, Relaxed);
        }
        self.counted = counted;
        Ok(())
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        if self.counted > 0 {
            self.memory.used.fetch_sub(self.counted, Relaxed);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_beyond_the_base_counts_and_all_of_it_comes_back() {
        let memory = Arc::new(Memory::new(100));
        let (mut one, mut two) = (Held::new(memory.clone()), Held::new(memory.clone()));
        assert_eq!((one.set(BASE), memory.used()), (Ok(()), 0));
        assert_eq!((one.set(BASE + 60), memory.used()), (Ok(()), 60));
        assert_eq!((two.set(BASE + 41), memory.used()), (Err(OutOfMemory), 60));
        assert_eq!((two.set(BASE + 40), memory.used()), (Ok(()), 100));
        assert_eq!((one.set(BASE + 10), memory.used()), (Ok(()), 50));
        assert_eq!(two.set(usize::MAX), Err(OutOfMemory));
        drop(two);
        assert_eq!((memory.used(), memory.refused()), (10, 2));
        drop(one);
        assert_eq!(memory.used(), 0);
    }
}
