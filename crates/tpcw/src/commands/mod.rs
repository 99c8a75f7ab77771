//! One file a command.

use crate::cli::{Cli, Command};
use crate::failure::Outcome;
use crate::interrupt::Interrupt;
use crate::keeper;

mod ab;
mod balance;
mod check;
mod cluster;
mod compare;
mod completions;
pub mod load;
mod report;
mod run;
mod search;
mod side_by_side;

/// Carries out what the command line asks for.
pub async fn dispatch(cli: Cli, interrupt: &Interrupt) -> Outcome {
    match cli.command {
        Command::Run(args) => run::run(args, interrupt).await,
        Command::Cluster(args) => cluster::cluster(args, interrupt).await,
        Command::Load(args) => load::load(args, interrupt).await,
        Command::Balance(args) => balance::balance(&args, interrupt).await,
        Command::Check(args) => check::check(&args).await,
        Command::Report(args) => report::report(&args),
        Command::Compare(args) => compare::compare(&args),
        Command::Search(args) => search::search(args, interrupt).await,
        Command::Ab(args) => ab::ab(args, interrupt).await,
        Command::History(args) => compare::history(&args),
        Command::Completions { shell } => completions::print(shell),
        Command::Keep(args) => {
            let order = keeper::read_order(&args.order)?;
            let log = args.order.with_file_name("keeper.log");
            crate::logging::to_file(&log)?;
            keeper::keep(order, interrupt).await
        }
    }
}
