//! The figures as text.

use std::fmt::{Arguments, Write};

use bookstore::Interaction;
use bookstore::store::FailureClass;

use super::Figures;
use super::buckets::Buckets;

/// The whole page.
pub(super) fn page(figures: &Figures) -> String {
    let mut page = Page(String::new());
    page.load(figures);
    page.interactions(figures);
    page.statements(figures);
    page.cluster(figures);
    page.0
}

struct Page(String);

impl Page {
    fn load(&mut self, figures: &Figures) {
        let row = &figures.row;
        let seconds = if row.phase.is_empty() { 0.0 } else { f64::from(row.second) + 1.0 };
        self.single("tpcw_run_seconds", "gauge", "Seconds of load that are over", seconds);
        let planned = f64::from(figures.of_seconds);
        self.single("tpcw_run_planned_seconds", "gauge", "Seconds of load planned, as far as known", planned);
        self.head("tpcw_run_phase", "gauge", "The phase of the load: 1 for the present one");
        for phase in &figures.phases {
            let present = u8::from(*phase == row.phase);
            self.line(format_args!("tpcw_run_phase{{phase=\"{}\"}} {present}", escaped(phase)));
        }
        let measured = f64::from(u8::from(row.measured));
        self.single("tpcw_run_measured", "gauge", "Whether the present phase counts", measured);
        self.single("tpcw_run_browsers", "gauge", "Browsers running", row.sessions.into());
        let busy = figures.cpu_share;
        self.single(
            "tpcw_run_generator_busy",
            "gauge",
            "Share of a core of the busiest browser thread",
            busy,
        );
        self.head("tpcw_run_lateness_seconds", "histogram", "How much later than due browsers woke up");
        self.histogram("tpcw_run_lateness_seconds", "", &figures.late);
    }

    fn interactions(&mut self, figures: &Figures) {
        let name = "tpcw_run_interactions_total";
        self.head(name, "counter", "Tries of interactions by how they ended");
        for page in Interaction::ALL {
            let (of, interaction) = (&figures.pages[page.index()], page.name());
            let ok = of.latency.count();
            self.line(format_args!("{name}{{interaction=\"{interaction}\",outcome=\"ok\"}} {ok}"));
            for class in FailureClass::ALL {
                let (count, class) = (of.failed[class.index()], class.name());
                if count > 0 {
                    self.line(format_args!(
                        "{name}{{interaction=\"{interaction}\",outcome=\"{class}\"}} {count}"
                    ));
                }
            }
        }
        self.head("tpcw_run_errors_total", "counter", "Tries that failed, by class");
        for class in FailureClass::ALL {
            let count: u64 = figures.pages.iter().map(|page| page.failed[class.index()]).sum();
            self.line(format_args!("tpcw_run_errors_total{{class=\"{}\"}} {count}", class.name()));
        }
        let name = "tpcw_run_latency_seconds";
        self.head(name, "histogram", "Time from due to done of interactions that ended well");
        for page in Interaction::ALL {
            let label = format!("interaction=\"{}\"", page.name());
            self.histogram(name, &label, &figures.pages[page.index()].latency);
        }
        self.head(
            "tpcw_run_service_seconds",
            "histogram",
            "The same from asking to done, the last try alone",
        );
        self.histogram("tpcw_run_service_seconds", "", &figures.service);
        for (name, help, value) in [
            ("tpcw_run_given_up_total", "Pages that their browser gave up", figures.given_up),
            ("tpcw_run_reconnects_total", "Connections made again after one was lost", figures.reconnects),
            ("tpcw_run_stale_pages_total", "Pages older than their browser knew", figures.stale),
            (
                "tpcw_run_stale_after_reconnect_total",
                "The same, where a reconnection lay between",
                figures.stale_across,
            ),
            ("tpcw_run_orders_total", "Orders acknowledged", figures.orders),
        ] {
            self.single(name, "counter", help, value as f64);
        }
    }

    fn statements(&mut self, figures: &Figures) {
        let name = "tpcw_run_statement_seconds";
        self.head(name, "histogram", "Time of statements: those that only read, and all others");
        self.histogram(name, "kind=\"read\"", &figures.reads);
        self.histogram(name, "kind=\"write\"", &figures.writes);
    }

    fn cluster(&mut self, figures: &Figures) {
        let serving = figures.row.serving_nodes.into();
        self.single(
            "tpcw_run_serving_nodes",
            "gauge",
            "Nodes in service, as far as the target tells",
            serving,
        );
        self.head("tpcw_run_events_total", "counter", "What happened, by kind as in events.csv");
        for (kind, count) in &figures.events {
            self.line(format_args!("tpcw_run_events_total{{kind=\"{kind}\"}} {count}"));
        }
    }

    fn line(&mut self, line: Arguments<'_>) {
        // Writing to a string cannot fail.
        let _ = self.0.write_fmt(line);
        self.0.push('\n');
    }

    fn head(&mut self, name: &str, kind: &str, help: &str) {
        self.line(format_args!("# HELP {name} {help}"));
        self.line(format_args!("# TYPE {name} {kind}"));
    }

    fn single(&mut self, name: &str, kind: &str, help: &str, value: f64) {
        self.head(name, kind, help);
        self.line(format_args!("{name} {value}"));
    }

    fn histogram(&mut self, name: &str, label: &str, buckets: &Buckets) {
        let comma = if label.is_empty() { "" } else { "," };
        for (bound, count) in buckets.up_to() {
            let bound = bound as f64 / 1e6;
            self.line(format_args!("{name}_bucket{{{label}{comma}le=\"{bound}\"}} {count}"));
        }
        let count = buckets.count();
        self.line(format_args!("{name}_bucket{{{label}{comma}le=\"+Inf\"}} {count}"));
        let label = if label.is_empty() { String::new() } else { format!("{{{label}}}") };
        self.line(format_args!("{name}_sum{label} {}", buckets.sum));
        self.line(format_args!("{name}_count{label} {count}"));
    }
}

fn escaped(text: &str) -> String {
    text.replace('\\', r"\\").replace('"', "\\\"").replace('\n', r"\n")
}
