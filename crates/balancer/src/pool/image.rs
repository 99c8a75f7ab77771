//! The part of a session's state that can be set up again on another connection: default schema, system variables, and
//! those user variables that were set to literals.
//!
//! Schema and system variables are what the nodes themselves report after each statement (session tracking), so no SET of
//! them has to be understood. User variables they do not report; what is more than `@name = literal` ties the session.

use std::cell::RefCell;
use std::collections::HashSet;
use std::fmt::Write;
use std::rc::Rc;
use std::time::Duration;

/// User variables that are carried at most.
const USER_VARIABLES: usize = 64;
/// A longer literal is not carried.
const LITERAL: usize = 1024;

/// Schema and variables that differ from those of a fresh connection.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Image {
    /// The default schema.
    pub schema: Option<Box<[u8]>>,
    /// System variables by name, sorted.
    pub variables: Vec<(Box<str>, Box<str>)>,
    /// User variables by name in lower case, sorted, with the literals that they were given.
    pub user: Vec<(Box<str>, Box<[u8]>)>,
}

impl Image {
    /// Notes a variable's new value.
    pub fn set(&mut self, name: &str, value: &str) {
        if (name, value) == ("autocommit", "ON") {
            // As on a fresh connection, so that it may be used by sessions that never touched it.
            return self.variables.retain(|(known, _)| &**known != name);
        }
        match self.variables.binary_search_by(|(known, _)| (**known).cmp(name)) {
            Ok(at) => self.variables[at].1 = value.into(),
            Err(at) => self.variables.insert(at, (name.into(), value.into())),
        }
        if name == "character_set_connection" {
            // The server has chosen the set's default collation with it.
            self.variables.retain(|(known, _)| &**known != "collation_connection");
        }
    }

    /// Notes what a user variable was set to; `false`: that is more than is carried.
    pub fn set_user(&mut self, name: &[u8], literal: &[u8]) -> bool {
        let name = String::from_utf8_lossy(name).to_ascii_lowercase();
        let at = self.user.binary_search_by(|(known, _)| (**known).cmp(&name));
        match at {
            _ if literal.len() > LITERAL => return false,
            Ok(at) => self.user[at].1 = literal.into(),
            Err(_) if self.user.len() >= USER_VARIABLES => return false,
            Err(at) => self.user.insert(at, (name.into(), literal.into())),
        }
        true
    }

    /// Whether one of the user variables is a text, which means something else in another character set or mode.
    fn carries_texts(&self) -> bool {
        self.user.iter().any(|(_, literal)| matches!(literal.first(), Some(b'\'' | b'"')))
    }

    /// Whether user variables would not be the same if they were set again in this state, because it has just changed from
    /// `before`.
    pub fn misreads_texts_since(&self, before: &Self) -> bool {
        let reading =
            ["character_set_client", "character_set_connection", "collation_connection", "sql_mode"];
        self.carries_texts() && reading.iter().any(|name| self.get(name) != before.get(name))
    }

    /// The same without user variables.
    pub fn without_user(self: &Rc<Self>) -> Rc<Self> {
        if self.user.is_empty() {
            return self.clone();
        }
        Rc::new(Self { user: Vec::new(), ..Self::clone(self) })
    }

    /// A variable's value, if it is not that of a fresh connection.
    pub fn get(&self, name: &str) -> Option<&str> {
        let at = self.variables.binary_search_by(|(known, _)| (**known).cmp(name)).ok()?;
        Some(&self.variables[at].1)
    }

    /// The state in which a text of another state is to be prepared on a connection in this one, so that nothing has to be
    /// unset: schema, and what decides how texts are read. `None`: something would have to be.
    pub fn to_prepare(&self, text: &Self) -> Option<Self> {
        const READING: [&str; 4] =
            ["sql_mode", "character_set_client", "character_set_connection", "collation_connection"];
        let mut image = self.clone();
        if text.schema.is_some() {
            image.schema = text.schema.clone();
        }
        for name in READING {
            match (self.get(name), text.get(name)) {
                (_, Some(value)) => image.set(name, value),
                (Some(_), None) => return None,
                (None, None) => {}
            }
        }
        Some(image)
    }

    /// How long the session may be idle, if it has said so itself: `wait_timeout`, in seconds.
    pub fn wait_timeout(&self) -> Option<Duration> {
        self.get("wait_timeout")?.parse().ok().map(Duration::from_secs)
    }

    /// Whether it sets no variable, of the system or the user's, that `other` leaves as it was at the beginning. To set a user
    /// variable to NULL is not to unset it: it keeps its type.
    pub fn has_nothing_beyond(&self, other: &Self) -> bool {
        let set = |name: &str| other.user.binary_search_by(|(known, _)| (**known).cmp(name)).is_ok();
        self.variables.iter().all(|(name, _)| other.get(name).is_some())
            && self.user.iter().all(|(name, _)| set(name))
    }

    /// Whether a connection in this state can be brought into `other` without losing anything: nothing has to be unset.
    pub fn leads_to(&self, other: &Self) -> bool {
        (self.schema.is_none() || other.schema.is_some()) && self.has_nothing_beyond(other)
    }

    /// The SET that leads from this state to `other`; `None` when no variable differs.
    pub fn set_to(&self, other: &Self) -> Option<String> {
        let mut text = String::new();
        for (name, value) in other.variables.iter().filter(|(name, value)| self.get(name) != Some(value)) {
            text.push_str(if text.is_empty() { "SET " } else { ", " });
            let plain = value.parse::<f64>().is_ok() && !value.starts_with(|c: char| c.is_alphabetic());
            let written = match (plain, &**name, &**value) {
                (_, "character_set_results", "") => write!(text, "{name}=NULL"),
                (true, ..) => write!(text, "{name}={value}"),
                (false, ..) => write!(text, "{name}='{}'", value.replace('\'', "''")),
            };
            written.expect("writing to a String");
        }
        (!text.is_empty()).then_some(text)
    }

    /// The SET that brings the user variables from this state into `other`'s, with nothing to unset; `None` when none
    /// differs.
    pub fn set_user_to(&self, other: &Self) -> Option<Vec<u8>> {
        let mut text = Vec::new();
        for (name, literal) in other.user.iter().filter(|variable| !self.user.contains(variable)) {
            text.extend_from_slice(if text.is_empty() { &b"SET @"[..] } else { b", @" });
            text.extend_from_slice(name.as_bytes());
            text.push(b'=');
            text.extend_from_slice(literal);
        }
        (!text.is_empty()).then_some(text)
    }

    /// Whether quotes and backslashes may be halves of characters.
    pub fn reads_texts_oddly(&self) -> bool {
        let odd_set = |set: &str| ["big5", "sjis", "gbk", "cp932", "gb18030", "ucs2"].contains(&set);
        self.get("character_set_client").is_some_and(odd_set)
    }

    /// Whether double quotes stand around names.
    pub fn quotes_names(&self) -> bool {
        self.get("sql_mode").is_some_and(|mode| mode.contains("ANSI_QUOTES"))
    }
}

/// The images of one thread, one copy of each: whether two are the same is told by where they lie.
#[derive(Debug, Default)]
pub struct Images(RefCell<HashSet<Rc<Image>>>);

impl Images {
    /// The one copy of an image.
    pub fn one(&self, image: Image) -> Rc<Image> {
        let mut known = self.0.borrow_mut();
        if let Some(known) = known.get(&image) {
            return known.clone();
        }
        if known.len() >= 256 && known.len().is_power_of_two() {
            known.retain(|image| Rc::strong_count(image) > 1);
        }
        let image = Rc::new(image);
        known.insert(image.clone());
        image
    }
}

/// Whether a variable that a node reports is part of the state that is carried over.
pub fn is_carried(name: &str) -> bool {
    let never = [
        "last_gtid",
        "last_insert_id",
        "identity",
        "insert_id",
        "timestamp",
        "character_set_database",
        "collation_database",
        "error_count",
        "warning_count",
        "in_transaction",
        "sql_log_bin",
        "skip_replication",
        "server_id",
        // With the client: see `wire::trackers`.
        "session_track_gtids",
        "session_track_schema",
        "session_track_system_variables",
    ];
    let prefixes = ["rand_seed", "pseudo_", "gtid_"];
    !never.contains(&name) && !prefixes.iter().any(|prefix| name.starts_with(prefix))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn image(schema: Option<&str>, variables: &[(&str, &str)]) -> Image {
        let mut image = Image { schema: schema.map(|s| s.as_bytes().into()), ..Image::default() };
        variables.iter().for_each(|(name, value)| image.set(name, value));
        image
    }

    #[test]
    fn only_what_differs_is_set() {
        let from = image(None, &[("time_zone", "+01:00")]);
        let to = image(None, &[("time_zone", "+01:00"), ("sql_mode", "it's"), ("wait_timeout", "100")]);
        assert_eq!(from.set_to(&to).as_deref(), Some("SET sql_mode='it''s', wait_timeout=100"));
        assert_eq!(to.set_to(&to), None);
        let null = image(None, &[("character_set_results", ""), ("long_query_time", "1.500000")]);
        assert_eq!(
            Image::default().set_to(&null).as_deref(),
            Some("SET character_set_results=NULL, long_query_time=1.500000")
        );
    }

    #[test]
    fn a_state_leads_to_another_when_nothing_has_to_be_unset() {
        let plain = image(None, &[]);
        let shop = image(Some("tpcw"), &[("autocommit", "OFF")]);
        assert!(plain.leads_to(&shop) && shop.leads_to(&shop));
        assert!(!shop.leads_to(&plain));
        assert!(!image(None, &[("time_zone", "x")]).leads_to(&shop));
    }

    #[test]
    fn user_variables_are_set_and_never_unset() {
        let (mut from, mut to) = (Image::default(), Image::default());
        assert!(from.set_user(b"A", b"1") && from.set_user(b"old", b"'x'"));
        assert!(to.set_user(b"a", b"1") && to.set_user(b"b", b"'it''s'") && to.set_user(b"old", b"2"));
        let set = from.set_user_to(&to).unwrap();
        assert_eq!(String::from_utf8(set).unwrap(), "SET @b='it''s', @old=2");
        assert_eq!(to.set_user_to(&to), None);
        assert!(from.leads_to(&to) && !to.leads_to(&from), "@b would have to be unset");
        assert!(!to.set_user(b"c", &[b'1'; LITERAL + 1]));
        assert!((0..100).any(|n| !to.set_user(format!("v{n}").as_bytes(), b"1")), "there is a limit");
    }

    #[test]
    fn texts_in_user_variables_hang_on_the_character_set() {
        let mut before = Image::default();
        before.set_user(b"n", b"-1.5");
        let mut after = before.clone();
        after.set("character_set_connection", "latin1");
        assert!(!after.misreads_texts_since(&before), "a number is a number");
        after.set_user(b"t", b"'x'");
        assert!(after.misreads_texts_since(&before));
        assert!(!after.clone().misreads_texts_since(&after));
    }

    #[test]
    fn a_text_is_prepared_as_it_was_read_first() {
        let here = image(Some("tpcw"), &[("time_zone", "+01:00"), ("sql_mode", "")]);
        let then = image(Some("other"), &[("sql_mode", "ANSI_QUOTES"), ("autocommit", "OFF")]);
        let expected = image(Some("other"), &[("time_zone", "+01:00"), ("sql_mode", "ANSI_QUOTES")]);
        assert_eq!(here.to_prepare(&then), Some(expected));
        assert_eq!(here.to_prepare(&image(None, &[])), None, "sql_mode cannot be unset");
        let zone = image(Some("tpcw"), &[("time_zone", "+01:00")]);
        assert_eq!(zone.to_prepare(&image(None, &[])), Some(zone.clone()));
    }

    #[test]
    fn there_is_one_copy_of_each_and_those_out_of_use_are_forgotten() {
        let images = Images::default();
        let one = images.one(image(Some("tpcw"), &[]));
        assert!(Rc::ptr_eq(&one, &images.one(image(Some("tpcw"), &[]))));
        assert!(!Rc::ptr_eq(&one, &images.one(image(Some("other"), &[]))));
        (0..1000).for_each(|n| drop(images.one(image(Some(&n.to_string()), &[]))));
        assert!(images.0.borrow().len() <= 513);
        assert!(Rc::ptr_eq(&one, &images.one(image(Some("tpcw"), &[]))));
    }

    #[test]
    fn a_new_character_set_brings_its_collation() {
        let mut image = image(None, &[("collation_connection", "utf8mb4_bin")]);
        image.set("character_set_connection", "latin1");
        assert_eq!(image.get("collation_connection"), None);
    }
}
