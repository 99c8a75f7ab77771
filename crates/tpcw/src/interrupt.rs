//! Ctrl-C, SIGTERM and panics: all end in the same orderly way out.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering::SeqCst};

use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;

use crate::failure::Kind;

/// Who wants the program to end. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Interrupt {
    /// Cancelled when the program is to end; whatever runs heals, ends its children and writes what it has.
    pub stop: CancellationToken,
    signals: Arc<AtomicU32>,
    panicked: Arc<AtomicBool>,
}

impl Interrupt {
    /// Nobody yet.
    pub fn new() -> Self {
        Self { stop: CancellationToken::new(), signals: Arc::default(), panicked: Arc::default() }
    }

    /// Whether a signal asked for the end.
    pub fn was_signalled(&self) -> bool {
        self.signals.load(SeqCst) > 0
    }

    /// Whether some thread panicked.
    pub fn panicked(&self) -> bool {
        self.panicked.load(SeqCst)
    }

    /// A panic anywhere gives the terminal back, says what happened, and ends the program in the orderly way.
    pub fn catch_panics(&self) {
        let (stop, panicked) = (self.stop.clone(), self.panicked.clone());
        let tell = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |what| {
            crate::live::restore();
            tell(what);
            crate::complain("this is a bug; cleaning up and writing what was measured");
            panicked.store(true, SeqCst);
            stop.cancel();
        }));
    }

    /// The first signal asks for the orderly way out, a second one does not wait for it: nodes die with this process,
    /// and the next run removes the folders.
    pub fn catch_signals(&self) {
        for kind in [SignalKind::interrupt(), SignalKind::terminate(), SignalKind::hangup()] {
            let Ok(mut arrivals) = signal(kind) else { continue };
            let me = self.clone();
            tokio::spawn(async move {
                while arrivals.recv().await.is_some() {
                    if me.signals.fetch_add(1, SeqCst) > 0 {
                        crate::live::restore();
                        std::process::exit(i32::from(Kind::Interrupted.code()));
                    }
                    me.stop.cancel();
                }
            });
        }
    }
}
