//! Processor quotas by control groups, version 1 or 2, as far as this user may make them.
//!
//! Sources: the kernel's `admin-guide/cgroup-v2.rst` (`cpu.max`) and `scheduler/sched-bwc.rst` (`cpu.cfs_quota_us`).

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use crate::error::{Error, OnFile};

/// All groups of ours begin so; nothing else is ever removed.
const PREFIX: &str = "tpcw-";
/// The shortest quota that the kernel takes is 1 ms a period; half as much again keeps clear of rounding.
const LEAST_QUOTA: Duration = Duration::from_micros(1500);
/// Short, so that a node that has used up its share goes on soon: throttling looks like a slower processor.
const SHORTEST_PERIOD: Duration = Duration::from_millis(10);
/// The kernel's longest.
const LONGEST_PERIOD: Duration = Duration::from_secs(1);

/// A place below which groups with a processor quota can be made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Groups {
    V1(PathBuf),
    V2(PathBuf),
}

/// One group; removed when dropped, after its processes have gone.
#[derive(Debug)]
pub(crate) struct Quota {
    group: PathBuf,
}

/// The period over which a share is counted: as short as gives the kernel a quota it takes.
pub(crate) fn period(share: f64) -> Duration {
    LEAST_QUOTA.div_f64(share).clamp(SHORTEST_PERIOD, LONGEST_PERIOD)
}

impl Groups {
    /// Finds a place by trying, from our own group upwards; the error says what stood in the way last.
    pub(crate) fn find() -> Result<Self, String> {
        let mounts = fs::read_to_string("/proc/self/mountinfo").map_err(|e| e.to_string())?;
        let own = fs::read_to_string("/proc/self/cgroup").map_err(|e| e.to_string())?;
        let mut last = "no control groups are mounted".to_owned();
        for place in candidates(&mounts, &own) {
            match place.try_out() {
                Ok(()) => return Ok(place),
                Err(e) => last = e.to_string(),
            }
        }
        Err(last)
    }

    /// The name in the manifest.
    pub(crate) fn method(&self) -> &'static str {
        match self {
            Self::V1(_) => "quota_cgroup_v1",
            Self::V2(_) => "quota_cgroup_v2",
        }
    }

    /// The path of the group that [`Groups::limit`] would make.
    pub(crate) fn path(&self, name: &str) -> PathBuf {
        let (Self::V1(place) | Self::V2(place)) = self;
        place.join(format!("{PREFIX}{name}"))
    }

    /// Makes a group with a share of the processors, in cores.
    pub(crate) fn limit(&self, name: &str, share: f64) -> Result<Quota, Error> {
        let group = self.path(name);
        // A group of that name can only be a dead process's of the same number.
        Quota::remove_group(&group);
        fs::create_dir(&group).on("make the processor group", &group)?;
        let quota = Quota { group };
        let period = period(share);
        let (period_us, quota_us) = (period.as_micros(), period.mul_f64(share).as_micros());
        match self {
            Self::V1(_) => {
                quota.write("cpu.cfs_period_us", &period_us.to_string())?;
                quota.write("cpu.cfs_quota_us", &quota_us.to_string())?;
            }
            Self::V2(_) => quota.write("cpu.max", &format!("{quota_us} {period_us}"))?,
        }
        Ok(quota)
    }

    /// Makes a group and moves a process into it, for a moment.
    fn try_out(&self) -> Result<(), Error> {
        static TRIED: AtomicU32 = AtomicU32::new(0);
        let name = format!("try-{}-{}", std::process::id(), TRIED.fetch_add(1, Ordering::Relaxed));
        let quota = self.limit(&name, 1.0)?;
        // A live process is needed: whether one may be moved in is a right of its own under version 2.
        let mut child = std::process::Command::new("/bin/sh")
            .args(["-c", "read line"])
            .stdin(std::process::Stdio::piped())
            .spawn()
            .on("run", Path::new("/bin/sh"))?;
        let moved = quota.add(child.id());
        let _ = child.kill();
        let _ = child.wait();
        moved
    }
}

impl Quota {
    /// Limits a process, with all its threads.
    pub(crate) fn add(&self, pid: u32) -> Result<(), Error> {
        self.write("cgroup.procs", &pid.to_string())
    }

    /// Removes the group, once its processes are gone.
    pub(crate) fn remove(&self) {
        Self::remove_group(&self.group);
    }

    /// Removes a group of ours that has no processes; anything else is left alone.
    pub(crate) fn remove_group(group: &Path) {
        if group.file_name().is_some_and(|name| name.to_string_lossy().starts_with(PREFIX)) {
            let _ = fs::remove_dir(group);
        }
    }

    fn write(&self, file: &str, value: &str) -> Result<(), Error> {
        let path = self.group.join(file);
        fs::write(&path, value).on("write", &path)
    }
}

impl Drop for Quota {
    fn drop(&mut self) {
        self.remove();
    }
}

/// Places worth trying, the likeliest first: version 1's processor tree, then version 2's.
fn candidates(mounts: &str, own: &str) -> Vec<Groups> {
    let mut places = Vec::new();
    for line in mounts.lines() {
        // `36 35 98:0 /root /mount rw,relatime shared:1 - cgroup cgroup rw,cpu,cpuacct`
        let Some((left, right)) = line.split_once(" - ") else { continue };
        let left: Vec<&str> = left.split(' ').collect();
        let right: Vec<&str> = right.split(' ').collect();
        let (Some(mount), Some(kind)) = (left.get(4), right.first()) else { continue };
        match *kind {
            "cgroup" if right.last().is_some_and(|o| o.split(',').any(|o| o == "cpu")) => {
                let inside = own_group(own, |controllers| controllers.split(',').any(|c| c == "cpu"));
                places.extend(upwards(mount, inside).into_iter().map(Groups::V1));
            }
            "cgroup2" => {
                let inside = own_group(own, str::is_empty);
                places.extend(upwards(mount, inside).into_iter().map(Groups::V2));
            }
            _ => {}
        }
    }
    places.sort_by_key(|place| matches!(place, Groups::V2(_)));
    places
}

/// Our own group in the hierarchy with these controllers: `4:cpu,cpuacct:/user.slice` or `0::/user.slice`.
fn own_group(own: &str, controllers: impl Fn(&str) -> bool) -> &str {
    own.lines()
        .filter_map(|line| line.split_once(':')?.1.split_once(':'))
        .find(|(names, _)| controllers(names))
        .map_or("/", |(_, group)| group)
}

/// A group and all above it, up to where the hierarchy is mounted.
fn upwards(mount: &str, group: &str) -> Vec<PathBuf> {
    let group = group.trim_matches('/');
    // A group above the mount, as containers show it, cannot be reached.
    let inside = if group.split('/').any(|part| part == "..") { "" } else { group };
    let lowest = Path::new(mount).join(inside);
    lowest.ancestors().take_while(|path| path.starts_with(mount)).map(Path::to_owned).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const V1: &str = "31 25 0:27 / /sys/fs/cgroup/cpu,cpuacct rw - cgroup cgroup rw,cpu,cpuacct\n\
        32 25 0:28 / /sys/fs/cgroup/memory rw - cgroup cgroup rw,memory\n\
        33 25 0:29 / /sys/fs/cgroup/unified rw - cgroup2 cgroup2 rw\n";

    #[test]
    fn places_are_tried_from_our_own_group_upwards_the_first_version_first() {
        let own = "4:memory:/m\n3:cpu,cpuacct:/jobs/a\n0::/user.slice\n";
        let expected = [
            Groups::V1("/sys/fs/cgroup/cpu,cpuacct/jobs/a".into()),
            Groups::V1("/sys/fs/cgroup/cpu,cpuacct/jobs".into()),
            Groups::V1("/sys/fs/cgroup/cpu,cpuacct".into()),
            Groups::V2("/sys/fs/cgroup/unified/user.slice".into()),
            Groups::V2("/sys/fs/cgroup/unified".into()),
        ];
        assert_eq!(candidates(V1, own), expected);
        let hidden = candidates("1 2 0:1 / /sys/fs/cgroup rw - cgroup2 cgroup2 rw\n", "0::/../..\n");
        assert_eq!(hidden, [Groups::V2("/sys/fs/cgroup".into())]);
        assert!(candidates("", own).is_empty());
    }

    #[test]
    fn periods_are_short_and_give_the_kernel_a_quota_it_takes() {
        for (share, ms) in [(2.0, 10), (0.25, 10), (0.15, 10), (0.1, 15), (0.05, 30), (0.001, 1000)] {
            assert_eq!(period(share), Duration::from_millis(ms), "{share}");
        }
    }
}
