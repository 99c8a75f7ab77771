//! `tpcw cluster …`, and the process behind it.

use std::net::SocketAddr;
use std::path::PathBuf;

use clap::{Args, Subcommand};

use super::ServerArgs;

const FAULTS: &str = "\
Faults, and what may follow them (usual values in brackets):
  kill                          end the process at once (SIGKILL)
  stop                          shut the server down in good order (SIGTERM)
  pause                         stop the process in its tracks (SIGSTOP)
  slow PERCENT                  give the process so much of its time (10)
  refuse                        refuse new connections
  mute                          accept new connections and never answer
  cut BYTES                     cut every connection in mid-answer, after so many bytes (4096)
  cut_commit COUNT              cut the connection between a COMMIT and its answer, so many times (1)
  delay TIME JITTER             delay everything, each way (50ms 0ms)
  bandwidth BYTES               carry no more bytes a second (100000)
  partition FROM WAY            cut off from all, balancer, nodes or one NODE (all); both, in or out (both)
  stop_replication              stop a replica's replication
  delay_replication SECONDS     have a replica apply so late (5)
  too_many_connections          take all connections of the node
  disk_full                     leave the node's data no space to grow
  kill_balancer                 end the balancer at once; NODE is `balancer`

Examples:
  tpcw cluster fail primary partition balancer
  tpcw cluster fail n2 delay 20ms 5ms
  tpcw cluster heal n2";

/// `tpcw cluster`.
#[derive(Args, Clone, Debug)]
pub struct ClusterArgs {
    /// Which cluster, when several are kept up
    #[arg(long, default_value = "default", global = true, value_name = "NAME")]
    pub name: String,
    /// What to do.
    #[command(subcommand)]
    pub command: ClusterCommand,
}

/// What can be done by hand.
#[derive(Clone, Debug, Subcommand)]
pub enum ClusterCommand {
    /// Start nodes and balancer, with a populated shop, and keep them up in the background
    Up {
        /// Take cluster, balancer and scale from this workload (default: elastic)
        workload: Option<String>,
        /// Items in the shop
        #[arg(long, value_name = "N")]
        items: Option<u32>,
        /// Emulated browsers that the data is sized for
        #[arg(long, value_name = "N")]
        population: Option<u32>,
        /// The seed of the population
        #[arg(long, value_name = "N")]
        seed: Option<u64>,
        /// Where the balancer listens (default: a free port on the loopback address)
        #[arg(long, value_name = "ADDRESS")]
        listen: Option<SocketAddr>,
        /// Stay in the foreground until interrupted
        #[arg(long)]
        foreground: bool,
        /// How the server program is found.
        #[command(flatten)]
        server: ServerArgs,
    },
    /// Show nodes, addresses and the last events
    Status {
        /// As JSON
        #[arg(long)]
        json: bool,
    },
    /// Put a candidate into service
    ScaleOut,
    /// Drain a replica and make it a candidate
    ScaleIn,
    /// Make a node the primary while the present one is well, without a failed statement
    Promote {
        /// Its name
        node: String,
    },
    /// Let a node serve again
    Enable {
        /// Its name
        node: String,
    },
    /// Switch a node off at once
    Disable {
        /// Its name
        node: String,
    },
    /// Let a node finish what it began, then switch it off
    Drain {
        /// Its name
        node: String,
    },
    /// Spread reads in another way
    Strategy {
        /// `round_robin`, `random`, `weighted`, `least_connections`, `least_latency`, `lowest_ping`, `peak_ewma`, `direct`
        name: String,
    },
    /// Break a node
    #[command(after_help = FAULTS)]
    Fail {
        /// `primary`, `replica`, a node's name, or `balancer`
        node: String,
        /// How: kill, stop, pause, slow, refuse, mute, cut, cut_commit, delay, bandwidth, partition, stop_replication,
        /// delay_replication, too_many_connections, disk_full, kill_balancer
        fault: String,
        /// What follows the fault's name
        words: Vec<String>,
    },
    /// Mend a node: undo whatever was done to it
    Heal {
        /// `last` (the one broken last), a node's name, or `balancer`
        #[arg(default_value = "last")]
        node: String,
    },
    /// Stop everything and remove its folders
    Down,
}

/// The process behind `cluster up`.
#[derive(Args, Clone, Debug)]
pub struct KeepArgs {
    /// File with what `up` was asked for (JSON).
    #[arg(long)]
    pub order: PathBuf,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_help_names_every_fault() {
        for (name, ..) in emulator::fault::FAULTS {
            assert!(FAULTS.lines().any(|line| line.split_whitespace().next() == Some(name)), "{name}");
        }
    }
}
