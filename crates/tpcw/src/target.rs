//! A target's address as typed: `mysql://user:password@host:port/database`.

use mysql_async::{Opts, OptsBuilder};

use crate::failure::{Failure, Outcome};

/// What every connection of ours asks for; see the comments.
pub fn careful(builder: OptsBuilder) -> OptsBuilder {
    builder
        // Through a balancer on a loopback address the driver would otherwise find the node's socket and go round it.
        .prefer_socket(false)
        // The shop has more statements than the default cache of 32 holds.
        .stmt_cache_size(256)
        // Known values spare a round trip at each connect.
        .max_allowed_packet(Some(16 << 20))
        .wait_timeout(Some(28_800))
        .tcp_nodelay(true)
}

/// Parses a target. Host, port (default 3306), user and database must be there, or the message says which is missing.
pub fn parse(url: &str) -> Outcome<Opts> {
    let allowed = "allowed: mysql://user:password@host:port/database";
    let shown = hide_password(url);
    let opts = Opts::from_url(url).map_err(|error| {
        Failure::usage(format!("--target `{shown}` is no address of a database ({error}); {allowed}"))
    })?;
    if opts.user().is_none() {
        return Err(Failure::usage(format!("--target `{shown}` names no user; {allowed}")));
    }
    if opts.db_name().is_none_or(str::is_empty) {
        return Err(Failure::usage(format!("--target `{shown}` names no database; {allowed}")));
    }
    Ok(careful(OptsBuilder::from_opts(opts)).into())
}

/// The address without its password, for messages and the manifest.
pub fn hide_password(url: &str) -> String {
    let Some((scheme, rest)) = url.split_once("://") else { return url.to_owned() };
    let Some((account, place)) = rest.rsplit_once('@') else { return url.to_owned() };
    match account.split_once(':') {
        Some((user, _)) => format!("{scheme}://{user}:***@{place}"),
        None => url.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_target_without_user_or_database_is_refused_and_passwords_are_not_shown() {
        for url in
            ["mysql://host/db", "mysql://u:topsecret@host", "postgres://u:topsecret@host/db", "nonsense"]
        {
            let failure = parse(url).expect_err(url);
            assert_eq!(failure.kind.code(), 2, "{url}");
            assert!(!failure.message.contains("topsecret"), "{}", failure.message);
        }
        let opts = parse("mysql://u:topsecret@h:3307/db").expect("complete");
        assert_eq!((opts.ip_or_hostname(), opts.tcp_port(), opts.prefer_socket()), ("h", 3307, false));
    }

    #[test]
    fn the_password_is_hidden_even_when_it_holds_an_at_sign() {
        assert_eq!(hide_password("mysql://u:p@ss@h/db"), "mysql://u:***@h/db");
        assert_eq!(hide_password("mysql://u@h/db"), "mysql://u@h/db");
    }
}
