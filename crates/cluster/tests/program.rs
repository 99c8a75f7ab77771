//! Finding the server program, and saying why there is none.

use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use cluster::{Cache, FindOptions, ProgramError, program};

/// A program that prints `text` for whatever it is asked.
fn imposter(folder: &Path, text: &str) -> PathBuf {
    let path = folder.join("mariadbd");
    std::fs::write(&path, format!("#!/bin/sh\necho '{text}'\n")).unwrap();
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).unwrap();
    path
}

async fn explicit(path: PathBuf) -> Result<cluster::ServerProgram, ProgramError> {
    let cache = Cache::at("/nonexistent");
    program::find(FindOptions { explicit: Some(path), offline: true, cache: &cache }, |_| {}).await
}

#[tokio::test]
async fn a_program_named_by_the_user_is_used_or_refused_with_the_reason() {
    let folder = tempfile::tempdir().unwrap();
    for (said, expected) in [
        (
            "mariadbd  Ver 10.6.18-MariaDB for Linux",
            "MariaDB 10.6.18; local nodes need MariaDB 10.11 or later",
        ),
        ("mysqld  Ver 8.0.36 for Linux on x86_64", "MySQL 8.0.36, which cannot be used for local nodes yet"),
        ("hello", "no database server: it says `hello`"),
        ("mariadbd  Ver 10.11.2-MariaDB for Linux", "are not beside it"),
    ] {
        let error = explicit(imposter(folder.path(), said)).await.unwrap_err();
        assert!(error.to_string().contains(expected), "{error}");
    }
    let missing = explicit(folder.path().join("none")).await.unwrap_err();
    assert!(matches!(missing, ProgramError::Unusable { .. }), "{missing}");
    let failing = folder.path().join("failing");
    std::fs::write(&failing, "#!/bin/sh\necho 'cannot open shared object file' >&2\nexit 127\n").unwrap();
    std::fs::set_permissions(&failing, std::fs::Permissions::from_mode(0o755)).unwrap();
    let error = explicit(failing).await.unwrap_err().to_string();
    assert!(error.contains("cannot open shared object file"), "{error}");
}

#[tokio::test]
async fn the_program_of_this_machine_is_found_with_all_that_belongs_to_it() {
    let cache = Cache::at("/nonexistent");
    let found =
        program::find(FindOptions { explicit: None, offline: true, cache: &cache }, |_| {}).await.unwrap();
    assert!(found.version >= program::Version::OLDEST_MARIADB && found.version_text.contains("MariaDB"));
    assert!(found.share_dir.join("english/errmsg.sys").is_file(), "{found:?}");
    assert_eq!(explicit(found.path.clone()).await.unwrap(), found);
}

/// Where no server program is installed: `cargo test -p cluster --test program -- --ignored`.
#[tokio::test]
#[ignore = "needs the network and a machine without a server program"]
async fn a_missing_program_is_fetched_and_works() {
    let folder = tempfile::tempdir().unwrap();
    let cache = Cache::at(folder.path());
    let offline = program::find(FindOptions { explicit: None, offline: true, cache: &cache }, |_| {}).await;
    let error = offline.unwrap_err();
    assert!(
        matches!(error, ProgramError::Offline) && error.to_string().contains("apt-get install"),
        "{error}"
    );
    let said = std::sync::Mutex::new(Vec::new());
    let say = |line: &str| said.lock().unwrap().push(line.to_owned());
    let found =
        program::find(FindOptions { explicit: None, offline: false, cache: &cache }, say).await.unwrap();
    println!("{said:?} {found:?}");
    assert_eq!(said.lock().unwrap().len(), 1);
    let template = cluster::Template::empty(&found, &cache).await.unwrap();
    let spec = cluster::ClusterSpec { replicas: 1, candidates: 0, ..cluster::ClusterSpec::default() };
    let nodes = cluster::LocalCluster::start(&found, spec, template).await.unwrap();
    nodes.stop().await.unwrap();
    let again =
        program::find(FindOptions { explicit: None, offline: true, cache: &cache }, |_| {}).await.unwrap();
    assert_eq!(again, found);
}
