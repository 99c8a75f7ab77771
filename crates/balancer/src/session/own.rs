//! The balancer's own variables and what it tells of its decisions: `SET tpcw_…`, `SELECT @@tpcw_…`, `SHOW tpcw TOKEN`,
//! `SHOW tpcw ROUTE`. No node hears of them.

use std::sync::atomic::Ordering::Relaxed;

use tokio::time::Instant;

use super::Session;
use super::client::Gone;
use super::reads::{Decision, Reads, SettingError, token};
use crate::route::{Plan, Route, To, causal};
use crate::sql::classify::{Own, classify_as};
use crate::sql::own;
use crate::view::ClusterView;
use crate::wire::resultset::ResultSet;

impl Session {
    /// Answers one of them.
    pub(super) async fn own(&mut self, own: Own) -> Result<(), Gone> {
        match own {
            Own::Token => {
                let token = self.reads.token(&self.state.last_write).to_string();
                let result = ResultSet { columns: vec!["token"], rows: vec![vec![Some(token)]] };
                self.send_result(&result).await
            }
            Own::Route => {
                let result = decision(self.reads.last_route.as_deref(), &self.worker.shared.view.load());
                self.send_result(&result).await
            }
            Own::Set => self.set_own().await,
            Own::Select => self.select_own().await,
        }
    }

    async fn set_own(&mut self) -> Result<(), Gone> {
        match self.try_set_own() {
            Ok(()) => self.client.ok(self.state.status).await,
            Err((code, state, message)) => self.client.error(code, state, &message).await,
        }
    }

    /// All assignments or none.
    fn try_set_own(&mut self) -> Result<(), (u16, &'static str, String)> {
        let text = self.client.payload().get(1..).unwrap_or_default();
        let own = |name: &[u8]| name.get(..5).is_some_and(|start| start.eq_ignore_ascii_case(b"tpcw_"));
        let settings = own::settings(text).filter(|all| all.iter().all(|setting| own(setting.name)));
        let Some(settings) = settings else {
            let message = "SET of the balancer's own variables (tpcw_…) takes no others and no expressions";
            return Err((1235, "42000", message.to_owned()));
        };
        if let Some(global) = settings.iter().find(|setting| setting.global) {
            let name = String::from_utf8_lossy(global.name);
            let message =
                format!("Variable '{name}' is a SESSION variable; for everybody it is set by the admin API");
            return Err((1228, "HY000", message));
        }
        let shared = &self.worker.shared;
        let defaults = Reads::new(&shared.config, &shared.listeners[self.listener]);
        // Tried on a copy first: a SET that is refused has changed nothing.
        let mut trial = Reads::new(&shared.config, &shared.listeners[self.listener]);
        let mut nothing = Default::default();
        for setting in &settings {
            trial.set(setting.name, setting.value, &defaults, &mut nothing).map_err(refused)?;
        }
        for setting in &settings {
            let written = &mut self.state.last_write;
            self.reads.set(setting.name, setting.value, &defaults, written).map_err(refused)?;
        }
        Ok(())
    }

    async fn select_own(&mut self) -> Result<(), Gone> {
        let text = self.client.payload().get(1..).unwrap_or_default();
        let Some(names) = own::selected(text) else {
            let message = "The balancer's own variables (@@tpcw_…) can be selected by themselves only";
            return self.client.error(1235, "42000", message).await;
        };
        let mut result = ResultSet { columns: Vec::new(), rows: vec![Vec::new()] };
        for name in names {
            let Some((name, value)) = self.reads.get(name, &self.state.last_write) else {
                let message = format!("Unknown system variable '{}'", String::from_utf8_lossy(name));
                return self.client.error(1193, "HY000", &message).await;
            };
            result.columns.push(name);
            result.rows[0].push(Some(value));
        }
        self.send_result(&result).await
    }

    /// Takes the token that a comment in the statement hands over; `false` when it is none, and the client has been told.
    pub(super) async fn take_hinted_token(&mut self) -> Result<bool, Gone> {
        let text = self.client.payload().get(1..).unwrap_or_default();
        let hinted = classify_as(text, self.state.manner).hint.token.unwrap_or_default();
        match token(hinted) {
            Some(token) => {
                self.reads.take_token(&token, &mut self.state.last_write);
                Ok(true)
            }
            None => {
                let value = String::from_utf8_lossy(hinted).into_owned();
                let name = "token".to_owned();
                let allowed = "GTIDs domain-server-sequence, separated by commas".to_owned();
                let (code, state, message) = refused(SettingError::Value { name, value, allowed });
                self.client.error(code, state, &message).await?;
                Ok(false)
            }
        }
    }

    /// Keeps a decision for `SHOW tpcw ROUTE`.
    #[cold]
    pub(super) fn keep_decision(&mut self, plan: &Plan, route: Route, view: &ClusterView) {
        let decision = Decision {
            plan: *plan,
            consistency: self.reads.level(plan),
            route,
            tied_by: String::new(),
            at: Instant::now(),
            behind: behind(&route, view),
        };
        self.reads.last_route = Some(Box::new(decision));
    }

    /// The same for a statement that is not routed.
    #[cold]
    pub(super) fn keep_tied_decision(&mut self, plan: &Plan, node: Option<usize>) {
        let to = node.map_or(To::Nobody, To::Node);
        let route = Route { to, reason: "the session is tied to its connection" };
        let view = self.worker.shared.view.load_full();
        self.keep_decision(plan, route, &view);
        let tied_by = self.state.pins().to_string();
        if let Some(decision) = &mut self.reads.last_route {
            decision.tied_by = tied_by;
        }
    }
}

fn refused(error: SettingError) -> (u16, &'static str, String) {
    match error {
        SettingError::Unknown(name) => (1193, "HY000", format!("Unknown system variable '{name}'")),
        SettingError::Value { name, value, allowed } => {
            let message =
                format!("Variable '{name}' can't be set to the value of '{value}'; allowed: {allowed}");
            (1231, "42000", message)
        }
    }
}

/// How far behind the node of a route is, as far as probes know: milliseconds and transactions.
pub(super) fn behind(route: &Route, view: &ClusterView) -> Option<(u64, u64)> {
    let (To::Node(index) | To::WhenApplied(index)) = route.to else { return None };
    let meter = &view.node(index)?.meter;
    let lag_ms = u64::try_from(meter.lag_ms.load(Relaxed)).ok()?;
    Some((lag_ms, meter.lag_transactions.load(Relaxed)))
}

/// How long the wait of a route will take, as far as can be told, in milliseconds.
pub(super) fn expected_wait_ms(
    session: &Session,
    plan: &Plan,
    route: &Route,
    view: &ClusterView,
) -> Option<u128> {
    let To::WhenApplied(index) = route.to else { return None };
    let needs = session.reads.promise(plan, &session.state.last_write).needs;
    Some(causal::expected(view.node(index)?, needs, Instant::now())?.as_millis())
}

/// The class of a plan, in one word.
pub(super) fn class(plan: &Plan) -> String {
    let kind = format!("{:?}", plan.kind).to_lowercase();
    kind.split([' ', '(']).next().unwrap_or_default().to_owned()
}

fn decision(kept: Option<&Decision>, view: &ClusterView) -> ResultSet {
    let columns = vec![
        "kind",
        "node",
        "reason",
        "tied_by",
        "consistency",
        "lag_ms",
        "lag_transactions",
        "waited",
        "ago_ms",
    ];
    let row = |kept: &Decision| {
        let (node, waited) = match kept.route.to {
            To::Node(index) => (view.node(index), false),
            To::WhenApplied(index) => (view.node(index), true),
            To::NoPrimary | To::Nobody => (None, false),
        };
        vec![
            Some(class(&kept.plan)),
            node.map(|node| node.id.to_string()),
            Some(kept.route.reason.to_owned()),
            (!kept.tied_by.is_empty()).then(|| kept.tied_by.clone()),
            Some(kept.consistency.as_str().to_owned()),
            kept.behind.map(|(ms, _)| ms.to_string()),
            kept.behind.map(|(_, transactions)| transactions.to_string()),
            Some(u8::from(waited).to_string()),
            Some(kept.at.elapsed().as_millis().to_string()),
        ]
    };
    ResultSet { columns, rows: kept.map(row).into_iter().collect() }
}
