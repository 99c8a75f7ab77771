//! Browsers inside an interaction, counted, and as their latencies tell it: by Little's law the same.

use crate::{
    folder::Folder,
    inside::{InsideSecond, left_inside},
    plot::{
        canvas::Stroke,
        moving_mean,
        palette::Colour,
        stack::{Axis, Keep, Series, Stack, lines, reading},
        window_of,
    },
    summary::Summary,
};

/// What is seen.
pub(super) const TITLE: &str = "Browsers inside an interaction (Little's law)";

pub(super) fn draw(folder: &Folder, run: &Summary) -> Option<(String, String)> {
    let seconds = folder.inside.seconds(&folder.errors);
    let serviced = seconds.iter().any(|second| second.by_service > 0.0);
    let mut all = vec![
        series(folder, &seconds, "counted", Stroke::new(Colour::Blue, 2.2), |second| second.counted),
        series(folder, &seconds, "rate × mean latency", Stroke::new(Colour::Orange, 1.6), |second| {
            second.by_latency
        }),
    ];
    if serviced {
        let stroke = Stroke::new(Colour::Muted, 1.4).dashed(5, 3);
        all.push(series(folder, &seconds, "rate × mean service time", stroke, |second| second.by_service));
    }
    let name = format!("Browsers inside an interaction, mean of {} s", window_of(folder));
    let strip = lines(&name, 130.0, all, Axis::FromZero(0.0), (folder.spread.width_s(), Keep::Mean))?;
    let words = words(folder, run, serviced);
    Stack { title: TITLE, words, named: false, strips: vec![strip], told: Vec::new() }.draw(folder, run)
}

fn series(
    folder: &Folder,
    seconds: &[InsideSecond],
    name: &str,
    stroke: Stroke,
    figure: fn(&InsideSecond) -> f64,
) -> Series {
    let values: Vec<Option<f64>> = seconds.iter().map(|second| Some(figure(second))).collect();
    let means = moving_mean(&values, window_of(folder));
    let values =
        seconds.iter().zip(means).filter_map(|(second, mean)| Some((second.second, mean?))).collect();
    Series { name: name.to_owned(), stroke, values }
}

/// How to read it.
fn words(folder: &Folder, run: &Summary, serviced: bool) -> Vec<String> {
    let mut words = reading(
        folder,
        "Pages asked for and not ended, counted at each second's end, and as rate × mean latency, laid over the seconds it took: the same but for chance,",
    );
    let queue = if run.rate.is_some() {
        "unless pages were due that nobody had asked for, as their visitor was in the page before or the generator was late: latency is above then."
    } else {
        "unless pages were due that no browser had asked for, a queue in the generator and not in the shop: latency is above then."
    };
    words.insert(1, queue.to_owned());
    if serviced {
        let waits = "What the service times leave below were waits for a shared connection, or for the next try after one that failed.";
        words.insert(2, waits.to_owned());
    }
    let given_up = folder.outcome.as_ref().map_or(0, |outcome| outcome.pages_given_up);
    let left = left_inside(&folder.errors, given_up);
    if left > 0 {
        words.push(format!(
            "{left} pages were given up at moments that no file tells: the count may be too great by as many."
        ));
    }
    words
}
