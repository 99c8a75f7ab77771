//! Data folders: made from nothing, copied, synced.

use std::fs::{self, File};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use rustix::fs::{SeekFrom, copy_file_range, fstat, ftruncate, ioctl_ficlone, seek};
use rustix::io::Errno;

use crate::error::{Error, OnFile};
use crate::lifetime::Nursery;
use crate::mariadbd::options::bootstrap_arguments;
use crate::mariadbd::process::{Process, log_tail};
use crate::program::ServerProgram;

/// Making the system tables takes a third of a second on a quick machine.
const BOOTSTRAP_LIMIT: Duration = Duration::from_secs(120);
/// What a copy does without: made anew at each start.
const NOT_COPIED: [&str; 4] = ["ib_buffer_pool", "ibtmp1", "mysqld.pid", "s.sock"];

/// Makes a data folder with system tables and no account that anybody could log in with.
pub(crate) async fn bootstrap(nursery: &Nursery, program: &ServerProgram, data: &Path) -> Result<(), Error> {
    let failed = |reason: String| Error::Bootstrap { program: program.path.clone(), reason };
    fs::create_dir_all(data).on("create the folder", data)?;
    let [tables, rows] = program.system_sql().ok_or_else(|| failed("its system SQL is gone".to_owned()))?;
    let beside = |name: &str| data.with_extension(name);
    let (input, log, temporary) = (beside("sql"), beside("log"), beside("tmp"));
    fs::create_dir_all(&temporary).on("create the folder", &temporary)?;
    write_system_sql(&input, &[tables, rows])?;
    let mut command = program.command();
    command.args(bootstrap_arguments(program, data, &temporary));
    let input_file = File::open(&input).on("open", &input)?;
    let log_file = File::create(&log).on("create", &log)?;
    command.stdout(Stdio::null()).stderr(Stdio::from(log_file));
    let process = Process::spawn_reading(nursery, command, input_file).await?;
    let status = process.wait(BOOTSTRAP_LIMIT).await?;
    if !status.success() {
        return Err(failed(format!("{status}: {}", log_tail(&log, 5))));
    }
    for path in [input, log] {
        fs::remove_file(&path).on("remove", &path)?;
    }
    remove(&temporary).await
}

/// The server's own SQL, then the removal of all accounts that its package would make. Bootstrap reads a statement a line.
fn write_system_sql(path: &Path, files: &[PathBuf]) -> Result<(), Error> {
    let mut out = File::create(path).on("create", path)?;
    let mut write = |bytes: &[u8]| out.write_all(bytes).on("write", path);
    write(b"CREATE DATABASE mysql;\nUSE mysql;\nSET @auth_root_socket=NULL;\n")?;
    for file in files {
        write(&fs::read(file).on("read", file)?)?;
    }
    write(
        b"\nDELETE FROM global_priv WHERE User<>'mariadb.sys';\nDELETE FROM proxies_priv;\nDELETE FROM db;\n",
    )
}

/// Copies a data folder that no server uses. Shares blocks where the file system can; holes stay holes.
pub(crate) async fn copy(from: &Path, to: &Path) -> Result<(), Error> {
    let (source, target) = (from.to_owned(), to.to_owned());
    let copied = tokio::task::spawn_blocking(move || copy_folder(&source, &target)).await;
    copied.map_err(io::Error::other).and_then(|result| result).on("copy the data folder to", to)
}

/// Removes a folder and all in it, when there is one.
pub(crate) async fn remove(path: &Path) -> Result<(), Error> {
    let folder = path.to_owned();
    let removed = tokio::task::spawn_blocking(move || match fs::remove_dir_all(&folder) {
        Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(()),
        other => other,
    });
    removed.await.map_err(io::Error::other).and_then(|result| result).on("remove the folder", path)
}

/// Brings every file of a folder to the disk.
pub(crate) async fn sync(path: &Path) -> Result<(), Error> {
    let folder = path.to_owned();
    let synced = tokio::task::spawn_blocking(move || sync_folder(&folder));
    synced.await.map_err(io::Error::other).and_then(|result| result).on("sync the folder", path)
}

fn sync_folder(folder: &Path) -> io::Result<()> {
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        if path.is_dir() { sync_folder(&path)? } else { File::open(&path)?.sync_all()? }
    }
    File::open(folder)?.sync_all()
}

fn copy_folder(from: &Path, to: &Path) -> io::Result<()> {
    fs::create_dir_all(to)?;
    for entry in fs::read_dir(from)? {
        let entry = entry?;
        let name = entry.file_name();
        let (source, target) = (entry.path(), to.join(&name));
        if entry.file_type()?.is_dir() {
            copy_folder(&source, &target)?;
        } else if !NOT_COPIED.iter().any(|skipped| name == *skipped) {
            copy_file(&source, &target)?;
        }
    }
    Ok(())
}

/// One file, by reference where possible, else its data but not its holes.
fn copy_file(from: &Path, to: &Path) -> io::Result<()> {
    let source = File::open(from)?;
    let target = File::create(to)?;
    if ioctl_ficlone(&target, &source).is_ok() {
        return Ok(());
    }
    let length = fstat(&source)?.st_size.unsigned_abs();
    ftruncate(&target, length)?;
    let mut at = 0;
    while let Some((start, end)) = next_data(&source, at, length)? {
        copy_range(&source, &target, start, end)?;
        at = end;
    }
    Ok(())
}

/// The next stretch of a file that is no hole.
fn next_data(file: &File, at: u64, length: u64) -> io::Result<Option<(u64, u64)>> {
    if at >= length {
        return Ok(None);
    }
    match seek(file, SeekFrom::Data(at)) {
        Ok(start) => Ok(Some((start, seek(file, SeekFrom::Hole(start))?))),
        Err(Errno::NXIO) => Ok(None),
        // A file system that knows no holes: all of it is data.
        Err(Errno::INVAL | Errno::OPNOTSUPP) => Ok(Some((at, length))),
        Err(e) => Err(e.into()),
    }
}

fn copy_range(source: &File, target: &File, start: u64, end: u64) -> io::Result<()> {
    let (mut read_at, mut write_at) = (start, start);
    while read_at < end {
        let left = usize::try_from(end - read_at).unwrap_or(usize::MAX);
        match copy_file_range(source, Some(&mut read_at), target, Some(&mut write_at), left) {
            Ok(0) => return Err(io::Error::new(io::ErrorKind::UnexpectedEof, "the file became shorter")),
            Ok(_) => {}
            // Between two file systems, or an old kernel.
            Err(Errno::XDEV | Errno::INVAL | Errno::NOSYS | Errno::OPNOTSUPP) => {
                return copy_by_hand(source, target, read_at, end);
            }
            Err(e) => return Err(e.into()),
        }
    }
    Ok(())
}

fn copy_by_hand(source: &File, target: &File, start: u64, end: u64) -> io::Result<()> {
    use std::os::unix::fs::FileExt as _;
    let mut buffer = vec![0; 1 << 20];
    let mut at = start;
    while at < end {
        let want = buffer.len().min(usize::try_from(end - at).unwrap_or(usize::MAX));
        source.read_exact_at(&mut buffer[..want], at)?;
        target.write_all_at(&buffer[..want], at)?;
        at += want as u64;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::{FileExt as _, MetadataExt as _};

    use super::*;

    #[tokio::test]
    async fn a_copy_is_equal_and_keeps_its_holes() {
        let folder = tempfile::tempdir().unwrap();
        let (from, to) = (folder.path().join("a"), folder.path().join("b"));
        fs::create_dir_all(from.join("shop")).unwrap();
        fs::write(from.join("shop/item.ibd"), vec![7_u8; 300_000]).unwrap();
        fs::write(from.join("empty"), "").unwrap();
        fs::write(from.join("ibtmp1"), "left out").unwrap();
        let sparse = File::create(from.join("ib_logfile0")).unwrap();
        sparse.set_len(8 << 20).unwrap();
        sparse.write_all_at(b"head", 0).unwrap();
        sparse.write_all_at(b"tail", (8 << 20) - 4).unwrap();
        copy(&from, &to).await.unwrap();
        for name in ["shop/item.ibd", "empty", "ib_logfile0"] {
            assert!(fs::read(from.join(name)).unwrap() == fs::read(to.join(name)).unwrap(), "{name}");
        }
        assert!(!to.join("ibtmp1").exists());
        let taken = |path: &Path| fs::metadata(path).unwrap().blocks();
        assert!(taken(&to.join("ib_logfile0")) <= taken(&from.join("ib_logfile0")) + 16);
    }
}
