//! `tpcw balance`: the balancer alone, from a configuration file.

use balancer::accounts::Accounts;
use balancer::config::Config;

use crate::cli::BalanceArgs;
use crate::failure::{Failure, Outcome};
use crate::interrupt::Interrupt;
use crate::{logging, place};

/// Runs the balancer until it is interrupted.
pub async fn balance(args: &BalanceArgs, interrupt: &Interrupt) -> Outcome {
    let config = read(args)?;
    let accounts = Accounts::new(&config.accounts, &config.auth)
        .map_err(|error| Failure::usage(format!("{}: {error}", args.config.display())))?;
    if args.check {
        crate::print(&format!(
            "{}: {} nodes, {} accounts, strategy {}, listening on {}\n",
            args.config.display(),
            config.nodes.len(),
            accounts.len(),
            config.strategy.as_str(),
            config.listen
        ));
        return Ok(());
    }
    logging::to_terminal();
    let balancer =
        balancer::server::start(config, interrupt.stop.clone()).await.map_err(Failure::from_below)?;
    crate::say(&format!("listening on {}", balancer.address));
    if let Some(admin) = balancer.admin_address {
        crate::say(&format!("admin API on http://{admin}"));
    }
    interrupt.stop.cancelled().await;
    balancer.shutdown().await;
    Ok(())
}

fn read(args: &BalanceArgs) -> Outcome<Config> {
    let file = args.config.display();
    let text = std::fs::read_to_string(&args.config)
        .map_err(|error| Failure::usage(format!("the configuration {file} cannot be read: {error}")))?;
    let config: Config = toml::from_str(&text)
        .map_err(|error| Failure::usage(format!("{file}: {}", error.to_string().trim_end())))?;
    config.check().map_err(|error| {
        let path = error.key.replace('[', ".").replace(']', "");
        let at =
            place::of(&text, &path).map_or_else(String::new, |(line, column)| format!(":{line}:{column}"));
        Failure::usage(format!("{file}{at}: {error}"))
    })?;
    Ok(config)
}
