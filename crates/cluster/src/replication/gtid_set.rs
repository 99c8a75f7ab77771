//! Sets of MySQL's transactions: `3e11fa47-71ca-11e1-9e33-c80aa9429562:1-270:300`, of one or many servers.
//!
//! Source: MySQL 8.4 reference manual, 19.1.3.1 "GTID Format and Storage". Numbers are given out one after the other, but a
//! set may have gaps: a replica that applies in parallel, or a session's own transactions among everybody's.

use std::fmt;
use std::str::FromStr;

use super::gtid::ParseGtidError;

/// The greatest number of a transaction.
const MAX: u64 = i64::MAX as u64 - 1;
/// No tag is longer.
const TAG: usize = 32;
/// A set that something waits for has so many intervals at most.
const FEW: usize = 16;

/// A set of transactions. Empty: none.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct GtidSet(Vec<Source>);

/// The transactions of one server, and of one tag where they have one (MySQL 8.3 and later).
#[derive(Clone, Debug, PartialEq, Eq)]
struct Source {
    uuid: u128,
    /// In lower case; mostly empty.
    tag: Box<str>,
    /// First and last, both included; sorted, and none touches the next.
    intervals: Vec<(u64, u64)>,
}

impl Source {
    fn key(&self) -> (u128, &str) {
        (self.uuid, &self.tag)
    }

    /// Sorts the intervals and joins those that touch.
    fn join(&mut self) {
        self.intervals.sort_unstable();
        self.intervals.dedup_by(|next, before| {
            let touches = next.0 <= before.1 + 1;
            before.1 = if touches { before.1.max(next.1) } else { before.1 };
            touches
        });
    }

    fn has(&self, (first, last): (u64, u64)) -> bool {
        let at = self.intervals.partition_point(|(begin, _)| *begin <= first);
        at > 0 && self.intervals[at - 1].1 >= last
    }

    /// How many of the numbers from `first` to `last` are in here.
    fn count(&self, (first, last): (u64, u64)) -> u64 {
        let from = self.intervals.partition_point(|(_, end)| *end < first);
        let shared = |(begin, end): &(u64, u64)| (*end).min(last) - (*begin).max(first) + 1;
        self.intervals[from..].iter().take_while(|(begin, _)| *begin <= last).map(shared).sum()
    }
}

impl GtidSet {
    /// Whether nothing is in it.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// How many intervals it is written with.
    pub fn intervals(&self) -> usize {
        self.0.iter().map(|source| source.intervals.len()).sum()
    }

    fn get(&self, key: (u128, &str)) -> Option<&Source> {
        let at = self.0.binary_search_by(|source| source.key().cmp(&key)).ok()?;
        Some(&self.0[at])
    }

    /// Whether all of `other` is in here.
    pub fn covers(&self, other: &Self) -> bool {
        other.0.iter().all(|theirs| {
            let mine = self.get(theirs.key());
            mine.is_some_and(|mine| theirs.intervals.iter().all(|interval| mine.has(*interval)))
        })
    }

    /// How many transactions of `other` are not in here.
    pub fn lacks(&self, other: &Self) -> u64 {
        let missing = |theirs: &Source| -> u64 {
            let mine = self.get(theirs.key());
            let shared = |interval| mine.map_or(0, |mine| mine.count(interval));
            theirs.intervals.iter().map(|(first, last)| last - first + 1 - shared((*first, *last))).sum()
        };
        other.0.iter().map(missing).sum()
    }

    /// Takes in all of `other`.
    pub fn merge(&mut self, other: &Self) {
        for theirs in &other.0 {
            match self.0.binary_search_by(|source| source.key().cmp(&theirs.key())) {
                Ok(at) => {
                    self.0[at].intervals.extend_from_slice(&theirs.intervals);
                    self.0[at].join();
                }
                Err(at) => self.0.insert(at, theirs.clone()),
            }
        }
    }

    /// Fills the gaps of a server of which there are many intervals: for a set that something waits for. It then waits for
    /// some transactions of others as well, of which a server that goes by numbers has most anyway.
    pub fn fill(&mut self) {
        for source in self.0.iter_mut().filter(|source| source.intervals.len() > FEW) {
            let (first, last) = (source.intervals[0].0, source.intervals[source.intervals.len() - 1].1);
            source.intervals = vec![(first, last)];
        }
    }

    /// Those of `other` that are not in here, as a set.
    pub fn missing(&self, other: &Self) -> Self {
        let left = other.0.iter().filter_map(|theirs| {
            let mut left = Vec::new();
            let mine = self.get(theirs.key()).map_or(&[][..], |mine| &mine.intervals);
            for (first, last) in &theirs.intervals {
                let mut from = *first;
                for (begin, end) in mine.iter().filter(|(begin, end)| end >= first && begin <= last) {
                    if from < *begin {
                        left.push((from, begin - 1));
                    }
                    from = end + 1;
                }
                if from <= *last {
                    left.push((from, *last));
                }
            }
            (!left.is_empty()).then(|| Source { uuid: theirs.uuid, tag: theirs.tag.clone(), intervals: left })
        });
        Self(left.collect())
    }
}

impl FromStr for GtidSet {
    type Err = ParseGtidError;

    /// Parses `@@gtid_executed` and its like: servers separated by commas and line ends, possibly none.
    fn from_str(text: &str) -> Result<Self, ParseGtidError> {
        let mut sources: Vec<Source> = Vec::new();
        for part in text.split(',').map(str::trim).filter(|part| !part.is_empty()) {
            let bad = || ParseGtidError(part.to_owned());
            let mut pieces = part.split(':').map(str::trim);
            let uuid = pieces.next().and_then(uuid).ok_or_else(bad)?;
            let mut source = Source { uuid, tag: "".into(), intervals: Vec::new() };
            for piece in pieces {
                if let Some(tag) = tag(piece) {
                    let tagged = Source { uuid, tag, intervals: Vec::new() };
                    sources.push(std::mem::replace(&mut source, tagged));
                } else {
                    source.intervals.push(interval(piece).ok_or_else(bad)?);
                }
            }
            sources.push(source);
        }
        sources.retain(|source| !source.intervals.is_empty());
        sources.sort_by(|a, b| a.key().cmp(&b.key()));
        sources.dedup_by(|next, before| {
            let same = next.key() == before.key();
            if same {
                before.intervals.append(&mut next.intervals);
            }
            same
        });
        sources.iter_mut().for_each(Source::join);
        Ok(Self(sources))
    }
}

/// 32 hexadecimal digits in five groups.
fn uuid(text: &str) -> Option<u128> {
    let groups = [8, 4, 4, 4, 12];
    let mut parts = text.split('-');
    let fits = groups.iter().all(|length| {
        let part = parts.next();
        part.is_some_and(|part| part.len() == *length && part.bytes().all(|byte| byte.is_ascii_hexdigit()))
    });
    if !fits || parts.next().is_some() {
        return None;
    }
    u128::from_str_radix(&text.replace('-', ""), 16).ok()
}

fn tag(text: &str) -> Option<Box<str>> {
    let word = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_';
    let begins = text.bytes().next().is_some_and(|byte| byte.is_ascii_alphabetic() || byte == b'_');
    (begins && text.len() <= TAG && text.bytes().all(word)).then(|| text.to_ascii_lowercase().into())
}

fn interval(text: &str) -> Option<(u64, u64)> {
    let number = |text: &str| text.trim().parse::<u64>().ok().filter(|number| (1..=MAX).contains(number));
    let (first, last) = match text.split_once('-') {
        Some((first, last)) => (number(first)?, number(last)?),
        None => (number(text)?, number(text)?),
    };
    (first <= last).then_some((first, last))
}

impl fmt::Display for GtidSet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut before = None;
        for source in &self.0 {
            if before != Some(source.uuid) {
                let text = format!("{:032x}", source.uuid);
                let comma = if before.is_some() { "," } else { "" };
                let [a, b, c, d, e] = [&text[..8], &text[8..12], &text[12..16], &text[16..20], &text[20..]];
                write!(f, "{comma}{a}-{b}-{c}-{d}-{e}")?;
            }
            if !source.tag.is_empty() {
                write!(f, ":{}", source.tag)?;
            }
            for (first, last) in &source.intervals {
                if first == last { write!(f, ":{first}")? } else { write!(f, ":{first}-{last}")? }
            }
            before = Some(source.uuid);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;

    const A: &str = "3e11fa47-71ca-11e1-9e33-c80aa9429562";
    const B: &str = "00000000-0000-0000-0000-00000000000b";

    /// `A:` and `B:` stand for servers.
    fn with_uuids(text: &str) -> String {
        text.replace("A:", &format!("{A}:")).replace("B:", &format!("{B}:"))
    }

    fn set(text: &str) -> GtidSet {
        with_uuids(text).parse().unwrap()
    }

    /// A set beside a plain one of the same numbers.
    fn sets() -> impl Strategy<Value = (GtidSet, BTreeSet<(bool, u64)>)> {
        proptest::collection::vec((any::<bool>(), 1..60_u64, 0..6_u64), 0..12).prop_map(|ranges| {
            let mut text = String::new();
            let mut plain = BTreeSet::new();
            for (other, first, more) in ranges {
                text.push_str(&format!("{}:{first}-{},", if other { A } else { B }, first + more));
                plain.extend((first..=first + more).map(|number| (other, number)));
            }
            (text.parse().unwrap(), plain)
        })
    }

    proptest! {
        #[test]
        fn they_are_sets((a, plain_a) in sets(), (b, plain_b) in sets()) {
            prop_assert_eq!(a.covers(&b), plain_a.is_superset(&plain_b));
            prop_assert_eq!(a.lacks(&b), plain_b.difference(&plain_a).count() as u64);
            let missing = a.missing(&b);
            prop_assert_eq!(missing.lacks(&b), plain_b.intersection(&plain_a).count() as u64);
            prop_assert_eq!(a.lacks(&missing), a.lacks(&b));
            let mut both = a.clone();
            both.merge(&b);
            let (sum, empty) = (plain_a.union(&plain_b).count() as u64, GtidSet::default());
            prop_assert!(both.covers(&a) && both.covers(&b) && empty.lacks(&both) == sum);
            prop_assert_eq!(&both.to_string().parse::<GtidSet>().unwrap(), &both);
            prop_assert_eq!(a == b, plain_a == plain_b, "one text for one set");
            let mut filled = both.clone();
            filled.fill();
            prop_assert!(filled.covers(&both));
        }

        #[test]
        fn no_text_makes_the_parser_panic(text in "\\PC{0,60}|[0-9a-f,:-]{0,90}") {
            let _ = text.parse::<GtidSet>();
        }
    }

    #[test]
    fn sets_are_read_as_servers_write_them() {
        assert_eq!(set("A:1-5:11-18,\nB:7").to_string(), format!("{B}:7,{A}:1-5:11-18"));
        assert_eq!(set(" A:6:1-5 , A:3-9 ").to_string(), format!("{A}:1-9"), "in any order, joined");
        assert_eq!(set("A:1-5:Daily:2-3:4,B:1").to_string(), format!("{B}:1,{A}:1-5:daily:2-4"));
        assert_eq!(set("3E11FA47-71CA-11E1-9E33-C80AA9429562:5"), set("A:5"));
        assert_eq!((set(""), set(A)), (GtidSet::default(), GtidSet::default()));
        for text in
            ["A:0", "A:2-1", "A:x y:1", "A1:1", "0-1-270", "A:1-2-3", "A:9223372036854775807", "A:-", ":1"]
        {
            assert!(with_uuids(text).parse::<GtidSet>().is_err(), "{text}");
        }
    }

    #[test]
    fn tags_are_histories_of_their_own() {
        assert!(!set("A:1-9").covers(&set("A:x:1")) && set("A:1:x:1-3").covers(&set("A:x:2")));
        assert_eq!(set("A:1").lacks(&set("A:1:x:1-3")), 3);
    }

    #[test]
    fn what_is_waited_for_stays_short() {
        let mut waited = GtidSet::default();
        for number in 1..1000 {
            waited.merge(&set(&format!("A:{}", number * 2)));
            waited.fill();
        }
        assert!(waited.intervals() <= FEW && waited.covers(&set("A:2:1000:1998")));
    }
}
