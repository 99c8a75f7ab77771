//! What statements do and answer, in MySQL's words.

use std::collections::BTreeMap;
use std::time::Duration;

use balancer::wire::handshake::Response;
use balancer::wire::packet::put_text;
use cluster::replication::GtidPosition;
use tokio::time::Instant;

use super::{Shared, uuid};

/// What a statement answers.
#[derive(Default)]
pub struct Answer {
    pub error: Option<(u16, &'static str, String)>,
    pub eof: bool,
    pub affected: u64,
    pub changes: Vec<u8>,
    pub columns: Vec<String>,
    pub rows: Vec<Vec<String>>,
}

impl Answer {
    pub fn error(code: u16, state: &'static str, message: String) -> Self {
        Self { error: Some((code, state, message)), ..Self::default() }
    }

    fn value(name: &str, value: impl ToString) -> Self {
        Self { columns: vec![name.to_owned()], rows: vec![vec![value.to_string()]], ..Self::default() }
    }

    fn unknown_variable(name: &str) -> Self {
        Self::error(1193, "HY000", format!("Unknown system variable '{name}'"))
    }

    /// A variable has been set and is told.
    fn tell(&mut self, name: &str, value: &str) {
        let mut data = Vec::new();
        put_text(&mut data, name.as_bytes());
        put_text(&mut data, value.as_bytes());
        self.changes.push(0);
        put_text(&mut self.changes, &data);
    }
}

/// A client's session.
pub struct Session {
    world: Shared,
    index: usize,
    account: String,
    id: u32,
    pub in_transaction: bool,
    variables: BTreeMap<&'static str, String>,
    written: Vec<i64>,
}

/// Session variables that can be set, with the server's defaults.
const VARIABLES: [(&str, &str); 11] = [
    ("autocommit", "ON"),
    ("character_set_client", "utf8mb4"),
    ("character_set_connection", "utf8mb4"),
    ("character_set_results", "utf8mb4"),
    ("collation_connection", "255"),
    ("session_track_gtids", "OFF"),
    ("session_track_schema", "ON"),
    ("session_track_system_variables", "time_zone,autocommit"),
    ("sql_mode", "STRICT_TRANS_TABLES"),
    ("time_zone", "SYSTEM"),
    ("wait_timeout", "28800"),
];

impl Session {
    pub fn new(world: Shared, index: usize, response: &Response, id: u32) -> Self {
        let mut variables = BTreeMap::from(VARIABLES.map(|(name, value)| (name, value.to_owned())));
        variables.insert("collation_connection", response.collation.to_string());
        let account = String::from_utf8_lossy(&response.name).into_owned();
        Self { world, index, account, id, in_transaction: false, variables, written: Vec::new() }
    }

    /// COM_RESET_CONNECTION: the variables are the server's, the character set of the login is forgotten.
    pub fn reset(&mut self) {
        self.variables = BTreeMap::from(VARIABLES.map(|(name, value)| (name, value.to_owned())));
        self.in_transaction = false;
        self.written.clear();
        self.note("COM_RESET_CONNECTION");
    }

    pub fn use_schema(&mut self, name: &[u8]) -> Answer {
        let mut answer = Answer::default();
        if self.variables["session_track_schema"] == "ON" {
            answer.changes.push(1);
            let mut data = Vec::new();
            put_text(&mut data, name);
            put_text(&mut answer.changes, &data);
        }
        answer
    }

    fn note(&self, text: &str) {
        if self.account != "operator" {
            let collation = self.variables["collation_connection"].clone();
            self.world.lock().nodes[self.index].log.push((text.to_owned(), collation));
        }
    }

    pub async fn run(&mut self, text: &str) -> Answer {
        self.note(text);
        let text = match text.strip_prefix("/*").and_then(|rest| rest.split_once("*/")) {
            Some((_, rest)) => rest.trim_start(),
            None => text,
        };
        self.world.lock().advance(self.index);
        let call = |name: &str| text.strip_prefix(name).and_then(|rest| rest.strip_suffix(')'));
        if let Some(arguments) = call("SELECT WAIT_FOR_EXECUTED_GTID_SET(") {
            return self.wait(arguments).await;
        }
        if text == "DO SLEEP(3600)" {
            tokio::time::sleep(Duration::from_secs(3600)).await;
            return Answer::default();
        }
        if let Some(name) =
            text.strip_prefix("SELECT ").and_then(|rest| rest.split_once('(')).map(|(name, _)| name)
            && name.contains("GTID_WAIT")
        {
            return Answer::error(1305, "42000", format!("FUNCTION {name} does not exist"));
        }
        if let Some(number) = call("INSERT INTO t VALUES (") {
            return self.insert(number.parse().expect("a number"));
        }
        match text {
            "BEGIN" | "START TRANSACTION" => {
                self.in_transaction = true;
                Answer::default()
            }
            "COMMIT" => self.commit(),
            "ROLLBACK" => {
                self.in_transaction = false;
                self.written.clear();
                Answer::default()
            }
            "DO 0" => Answer::default(),
            "SELECT VERSION()" => Answer::value("VERSION()", self.world.lock().nodes[self.index].version),
            "SELECT COUNT(*) FROM t" => Answer::value(
                "COUNT(*)",
                self.world.lock().nodes[self.index].applied - 1 + self.written.len(),
            ),
            "SHOW GLOBAL VARIABLES LIKE 'rpl_semi_sync_%_enabled'" => self.semi_sync(),
            "SHOW REPLICA STATUS" | "SHOW SLAVE STATUS" => self.replica_status(text),
            _ => match (text.strip_prefix("SELECT @@"), text.strip_prefix("SET ")) {
                (Some(_), _) => self.select_variables(&text[7..]),
                (_, Some(settings)) => self.set(settings),
                _ => {
                    let near: String = text.chars().take(60).collect();
                    let message = format!(
                        "You have an error in your SQL syntax; check the manual that corresponds to your MySQL server \
                         version for the right syntax to use near '{near}' at line 1"
                    );
                    Answer::error(1064, "42000", message)
                }
            },
        }
    }

    fn insert(&mut self, number: i64) -> Answer {
        if self.world.lock().nodes[self.index].read_only {
            let message =
                "The MySQL server is running with the --read-only option so it cannot execute this statement";
            return Answer::error(1290, "HY000", message.to_owned());
        }
        self.written.push(number);
        let mut answer = if self.in_transaction { Answer::default() } else { self.commit() };
        answer.affected = 1;
        answer
    }

    fn commit(&mut self) -> Answer {
        self.in_transaction = false;
        let mut answer = Answer::default();
        let mut world = self.world.lock();
        let gtids: Vec<_> = self.written.drain(..).map(|number| world.write(self.index, number)).collect();
        if let (Some(last), "OWN_GTID") = (gtids.last(), &*self.variables["session_track_gtids"]) {
            let mut data = vec![0];
            put_text(&mut data, last.as_bytes());
            answer.changes.push(3);
            put_text(&mut answer.changes, &data);
        }
        answer
    }

    async fn wait(&self, arguments: &str) -> Answer {
        let (set, limit) = arguments.rsplit_once(',').expect("a set and a limit");
        let Ok(wanted) = set.trim_matches('\'').parse::<GtidPosition>() else {
            return Answer::error(1772, "HY000", format!("Malformed GTID set specification {set}."));
        };
        if wanted.set().is_empty() {
            return Answer::error(1772, "HY000", format!("Malformed GTID set specification {set}."));
        }
        let end = Instant::now() + Duration::from_secs_f64(limit.trim().parse().expect("seconds"));
        loop {
            let applied: GtidPosition = {
                let mut world = self.world.lock();
                world.advance(self.index);
                world.executed(world.nodes[self.index].applied).parse().unwrap()
            };
            if applied.covers(&wanted) {
                return Answer::value("w", 0);
            }
            if Instant::now() >= end {
                return Answer::value("w", 1);
            }
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    }

    fn semi_sync(&self) -> Answer {
        let on = if self.world.lock().nodes[self.index].semi_sync { "ON" } else { "OFF" };
        let row = |name: &str, value: &str| vec![name.to_owned(), value.to_owned()];
        Answer {
            columns: vec!["Variable_name".into(), "Value".into()],
            rows: vec![row("rpl_semi_sync_replica_enabled", "ON"), row("rpl_semi_sync_source_enabled", on)],
            ..Answer::default()
        }
    }

    fn replica_status(&self, text: &str) -> Answer {
        let world = self.world.lock();
        let node = &world.nodes[self.index];
        let new = text.contains("REPLICA");
        let mut parts = node.version.split('.').map(|part| part.parse::<u32>().unwrap());
        let number = [(); 3].map(|()| parts.next().unwrap());
        // 8.4 knows the new words alone, 8.0.21 and before the old ones.
        if number >= [8, 4, 0] && !new || number < [8, 0, 22] && new {
            return Answer::error(
                1064,
                "42000",
                format!("You have an error in your SQL syntax near '{text}'"),
            );
        }
        let names = ["IO_Running", "SQL_Running"]
            .map(|name| format!("{}_{name}", if new { "Replica" } else { "Slave" }));
        let source = if new { "Source" } else { "Master" };
        let mut columns = vec![format!("{source}_Host"), format!("{source}_Port")];
        columns.extend(names);
        columns.extend(["Last_IO_Errno", "Last_IO_Error", "Last_SQL_Error"].map(str::to_owned));
        columns.extend(["Retrieved_Gtid_Set", "Executed_Gtid_Set", "Channel_Name"].map(str::to_owned));
        let Some(source) = node.source else { return Answer { columns, ..Answer::default() } };
        let alive = world.nodes[source].alive;
        let row = vec![
            "127.0.0.1".to_owned(),
            world.nodes[source].address.port().to_string(),
            if alive { "Yes" } else { "Connecting" }.to_owned(),
            "Yes".to_owned(),
            "0".to_owned(),
            String::new(),
            String::new(),
            world.executed(if alive { world.journal.len() } else { node.applied }),
            world.executed(node.applied),
            String::new(),
        ];
        Answer { columns, rows: vec![row], ..Answer::default() }
    }

    fn select_variables(&self, list: &str) -> Answer {
        let mut answer = Answer { rows: vec![Vec::new()], ..Answer::default() };
        for item in list.split(',').map(str::trim) {
            let bare = item.strip_prefix("@@").expect("a variable");
            let name = bare.split_once('.').map_or(bare, |(_, name)| name).to_ascii_lowercase();
            let world = self.world.lock();
            let node = &world.nodes[self.index];
            let value = match &*name {
                "read_only" | "super_read_only" => u8::from(node.read_only).to_string(),
                "gtid_executed" => world.executed(node.applied),
                "gtid_mode" => node.gtid_mode.to_owned(),
                "server_uuid" => uuid(self.index),
                "server_id" => (self.index + 1).to_string(),
                "pseudo_thread_id" => self.id.to_string(),
                name => match self.variables.get(name) {
                    Some(value) => value.clone(),
                    None => return Answer::unknown_variable(name),
                },
            };
            answer.columns.push(item.to_owned());
            answer.rows[0].push(value);
        }
        answer
    }

    fn set(&mut self, settings: &str) -> Answer {
        let mut answer = Answer::default();
        for (name, value) in settings.split(", ").map(|pair| pair.split_once('=').expect("a setting")) {
            let name = name.trim().trim_start_matches("@@").trim_start_matches("SESSION ");
            if name.starts_with('@') {
                continue;
            }
            let Some((name, _)) = VARIABLES.into_iter().find(|(known, _)| *known == name) else {
                return Answer::unknown_variable(name);
            };
            let value = value.trim().trim_matches('\'');
            let value = match value.strip_prefix("@@") {
                Some(other) => self.variables[other].clone(),
                None => value.to_owned(),
            };
            if self.variables["session_track_system_variables"] == "*" {
                answer.tell(name, &value);
            }
            self.variables.insert(name, value);
        }
        answer
    }
}
