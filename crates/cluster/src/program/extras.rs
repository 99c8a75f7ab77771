//! What some tests need beside the server: the command line client, and what a server can load.

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::cache::Cache;
use crate::program::fetch::{self, Package};
use crate::program::{ProgramError, ServerProgram, command};

/// The command line client, ready for its arguments: from `PATH`, from the cache, or fetched.
///
/// # Errors
/// When there is none and none can be fetched.
pub async fn client(cache: &Cache, say: impl Fn(&str)) -> Result<Command, ProgramError> {
    let installed = || {
        let path = std::env::var_os("PATH").unwrap_or_default();
        let found =
            std::env::split_paths(&path).map(|folder| folder.join("mariadb")).find(|path| path.is_file());
        found.map(|path| command(&path, &[]))
    };
    let unpacked = fetch::unpacked(cache, Package::Client);
    let in_cache = || {
        let path = unpacked.join("usr/bin/mariadb");
        path.is_file().then(|| command(&path, &fetch::library_dirs(&unpacked)))
    };
    if let Some(found) = installed().or_else(in_cache) {
        return Ok(found);
    }
    fetch::fetch_package(cache, Package::Client, &say).await?;
    installed().or_else(in_cache).ok_or_else(|| ProgramError::Fetch {
        reason: "the package of the command line client was fetched and holds no such program".to_owned(),
    })
}

/// The folder of what a server can load (`plugin_dir`) with this file in it: of its installation, from the cache, or
/// fetched.
///
/// # Errors
/// When there is none and none can be fetched.
pub async fn plugins(
    program: &ServerProgram,
    cache: &Cache,
    file: &str,
    say: impl Fn(&str),
) -> Result<PathBuf, ProgramError> {
    let unpacked = fetch::unpacked(cache, Package::Plugins);
    let prefix = program.path.parent().and_then(Path::parent);
    let installed = prefix.into_iter().flat_map(|prefix| {
        ["lib/mysql/plugin", "lib64/mysql/plugin", "lib/plugin"].map(|folder| prefix.join(folder))
    });
    let folders: Vec<PathBuf> = installed.chain([unpacked.join("usr/lib/mysql/plugin")]).collect();
    let there = || folders.iter().find(|folder| folder.join(file).is_file()).cloned();
    if let Some(found) = there() {
        return Ok(found);
    }
    fetch::fetch_package(cache, Package::Plugins, &say).await?;
    there().ok_or_else(|| ProgramError::Fetch {
        reason: format!("the server's package was fetched and holds no {file}"),
    })
}
