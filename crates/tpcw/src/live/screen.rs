//! The live view on a terminal. The terminal is given back on every way out, a panic included.

use std::collections::VecDeque;
use std::io::{self, Stderr, stderr};

use crossterm::execute;
use crossterm::terminal::{EnterAlternateScreen, LeaveAlternateScreen};
use ratatui::Terminal;
use ratatui::backend::CrosstermBackend;
use ratatui::layout::{Constraint, Layout, Rect};
use ratatui::style::{Color, Modifier, Style, Stylize};
use ratatui::symbols::Marker;
use ratatui::text::{Line, Span};
use ratatui::widgets::{Axis, Block, Chart, Dataset, Gauge, GraphType, List, ListItem, Row, Table};

use emulator::run::Live;

use super::limits::{Limit, State};

/// Columns of the list of limits.
const LIMITS_WIDTH: u16 = 48;
/// Seconds of history drawn.
const HISTORY: usize = 3600;

/// A screen of its own on the terminal.
pub struct Screen {
    terminal: Terminal<CrosstermBackend<Stderr>>,
    wips: VecDeque<(f64, f64)>,
    p90: VecDeque<(f64, f64)>,
    p99: VecDeque<(f64, f64)>,
}

impl std::fmt::Debug for Screen {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Screen").field("seconds", &self.wips.len()).finish_non_exhaustive()
    }
}

impl Screen {
    /// Takes the terminal's second screen. Keys stay with the terminal, so that Ctrl-C still interrupts.
    pub fn open() -> io::Result<Self> {
        execute!(stderr(), EnterAlternateScreen)?;
        let mut terminal = Terminal::new(CrosstermBackend::new(stderr()))?;
        terminal.hide_cursor()?;
        Ok(Self { terminal, wips: VecDeque::new(), p90: VecDeque::new(), p99: VecDeque::new() })
    }

    /// Draws a picture.
    pub fn show(&mut self, title: &str, picture: &Live, limits: &[Limit]) -> io::Result<()> {
        let second = f64::from(picture.second);
        if self.wips.back().is_none_or(|(last, _)| *last < second) {
            for (series, value) in [
                (&mut self.wips, picture.wips),
                (&mut self.p90, picture.p90_ms),
                (&mut self.p99, picture.p99_ms),
            ] {
                series.push_back((second, value));
                if series.len() > HISTORY {
                    series.pop_front();
                }
            }
        }
        let (wips, p90, p99) =
            (self.wips.make_contiguous(), self.p90.make_contiguous(), self.p99.make_contiguous());
        self.terminal.draw(|frame| {
            let nodes = picture.nodes.len() as u16;
            let areas = Layout::vertical([
                Constraint::Length(1),
                Constraint::Length(2),
                Constraint::Min(8),
                Constraint::Length(if nodes == 0 { 0 } else { nodes + 3 }),
                Constraint::Length(9),
            ])
            .split(frame.area());
            frame.render_widget(progress(title, picture), areas[0]);
            frame.render_widget(figures(picture), areas[1]);
            let halves = Layout::horizontal([Constraint::Percentage(50); 2]).split(areas[2]);
            chart(frame, halves[0], "interactions a second", picture, &[("WIPS", wips, Color::Cyan)]);
            let latencies: [Series<'_>; 2] = [("p99", p99, Color::Yellow), ("p90", p90, Color::Green)];
            chart(frame, halves[1], "latency, ms", picture, &latencies);
            if nodes > 0 {
                frame.render_widget(node_table(picture), areas[3]);
            }
            let width = if limits.is_empty() { 0 } else { LIMITS_WIDTH };
            let below = Layout::horizontal([Constraint::Min(30), Constraint::Length(width)]).split(areas[4]);
            frame.render_widget(events(picture), below[0]);
            frame.render_widget(limit_list(limits), below[1]);
        })?;
        Ok(())
    }
}

impl Drop for Screen {
    fn drop(&mut self) {
        restore();
    }
}

/// Gives the terminal back; also called by the panic hook.
pub fn restore() {
    let _ = execute!(stderr(), LeaveAlternateScreen, crossterm::cursor::Show);
}

type Series<'a> = (&'a str, &'a [(f64, f64)], Color);

fn progress(title: &str, picture: &Live) -> Gauge<'static> {
    let share = f64::from(picture.second) / f64::from(picture.of_seconds.max(1));
    Gauge::default()
        .ratio(share.clamp(0.0, 1.0))
        .gauge_style(Style::new().fg(Color::Blue).bg(Color::Black))
        .label(format!(
            "{}  {} s of {} s  {}  {} sessions",
            title, picture.second, picture.of_seconds, picture.phase, picture.sessions
        ))
}

fn figures(picture: &Live) -> ratatui::widgets::Paragraph<'_> {
    let bad = if picture.total_errors == 0 { Color::Green } else { Color::Red };
    let first = Line::from(vec![
        Span::styled(format!("{:.1} WIPS", picture.wips), Style::new().add_modifier(Modifier::BOLD)),
        format!("   p50 {:.1}  p90 {:.1}  p99 {:.1} ms", picture.p50_ms, picture.p90_ms, picture.p99_ms)
            .into(),
        format!("   read {:.1} ms  write {:.1} ms", picture.read_mean_ms, picture.write_mean_ms).into(),
        format!("   {} orders acknowledged   ", picture.orders).into(),
        Span::styled(format!("{} errors", picture.total_errors), Style::new().fg(bad)),
    ]);
    ratatui::widgets::Paragraph::new(first)
}

fn chart(frame: &mut ratatui::Frame<'_>, area: Rect, title: &str, picture: &Live, series: &[Series<'_>]) {
    let top =
        series.iter().flat_map(|(_, points, _)| points.iter()).map(|(_, y)| *y).fold(1.0, f64::max) * 1.1;
    let end = f64::from(picture.of_seconds.max(10));
    let sets = series
        .iter()
        .map(|(name, points, colour)| {
            Dataset::default()
                .name(*name)
                .marker(Marker::Braille)
                .graph_type(GraphType::Line)
                .style(Style::new().fg(*colour))
                .data(points)
        })
        .collect();
    let chart = Chart::new(sets)
        .block(Block::bordered().title(title.to_owned()))
        .x_axis(Axis::default().bounds([0.0, end]).labels(["0".to_owned(), format!("{end:.0} s")]))
        .y_axis(Axis::default().bounds([0.0, top]).labels(["0".to_owned(), format!("{top:.0}")]));
    frame.render_widget(chart, area);
}

fn node_table(picture: &Live) -> Table<'_> {
    let rows = picture.nodes.iter().map(|node| {
        let colour = match node.state.as_str() {
            "serving" => Color::Green,
            "down" => Color::Red,
            "standby" => Color::DarkGray,
            _ => Color::Yellow,
        };
        Row::new([
            node.node.clone(),
            node.role.clone(),
            node.state.clone(),
            format!("{:>6}", node.reads),
            format!("{:>6}", node.writes),
            format!("{:>7.1}", node.mean_ms),
            node.lag_ms.map_or_else(|| "      -".to_owned(), |lag| format!("{lag:>7.0}")),
        ])
        .style(Style::new().fg(colour))
    });
    let widths = [8, 10, 10, 9, 9, 9, 9].map(Constraint::Length);
    Table::new(rows, widths)
        .header(Row::new(["node", "role", "state", "reads/s", "writes/s", "mean ms", "lag ms"]).bold())
        .block(Block::bordered().title("nodes"))
}

fn events(picture: &Live) -> List<'_> {
    let newest = picture.events.iter().rev().take(7).rev();
    let lines =
        newest.map(|event| ListItem::new(format!("{:>6.1}s  {}", event.second, super::event_text(event))));
    List::new(lines).block(Block::bordered().title("events"))
}

/// Each limit with what was found so far, broken ones first.
fn limit_list(limits: &[Limit]) -> List<'_> {
    let lines = limits.iter().map(|limit| {
        let (sign, colour) = match limit.state {
            State::Broken => ("✗", Color::Red),
            State::Open => ("…", Color::DarkGray),
            State::Holds => ("✓", Color::Green),
        };
        let value = limit.value.map_or_else(|| "at the end".to_owned(), short);
        let words = format!("{sign} {:<26.26}{value:>10} / {}", limit.name, short(limit.limit));
        ListItem::new(Span::styled(words, Style::new().fg(colour)))
    });
    List::new(lines).block(Block::bordered().title("limits so far"))
}

/// A figure in a few columns.
fn short(value: f64) -> String {
    if value.abs() < 100.0 { format!("{}", (value * 100.0).round() / 100.0) } else { format!("{value:.0}") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_tells_broken_limits_first_and_what_is_not_known() {
        let limit = |name: &str, value, state| Limit { name: name.to_owned(), limit: 1500.0, value, state };
        let limits = [
            limit("p90_ms_max", Some(1700.2), State::Broken),
            limit("unavailable_ms_max", None, State::Open),
            limit("read_mean_ms_max", Some(2.346), State::Holds),
        ];
        let mut terminal = Terminal::new(ratatui::backend::TestBackend::new(LIMITS_WIDTH, 5))
            .expect("a terminal of its own");
        terminal.draw(|frame| frame.render_widget(limit_list(&limits), frame.area())).expect("drawn");
        let shown = terminal.backend().to_string();
        for words in [
            "limits so far",
            "✗ p90_ms_max",
            "1700 / 1500",
            "at the end / 1500",
            "✓ read_mean_ms_max",
            "2.35 / 1500",
        ] {
            assert!(shown.contains(words), "{words} is not in\n{shown}");
        }
    }
}
