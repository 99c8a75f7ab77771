//! A run folder made complete: `summary.json`, pictures and page, again and again from the rows alone.

use std::{
    num::NonZero,
    path::PathBuf,
    sync::atomic::{AtomicUsize, Ordering},
};

use crate::{
    ReportError, RunDir,
    folder::Folder,
    html,
    plot::{self, Picture},
    png::Painter,
    record::replace,
    summary::{self, SUMMARY_FILE, Summary},
};

/// Threads that paint at most: each holds a picture of some megabytes.
const MOST_PAINTERS: usize = 4;

/// Makes everything that is drawn or computed from the rows of a folder, in place of older ones; gives the files.
///
/// # Errors
/// Names the file that cannot be read, does not fit, or cannot be written.
pub fn render(run: &RunDir) -> Result<Vec<PathBuf>, ReportError> {
    render_and_tell(run).map(|(_, files)| files)
}

/// The same, with the figures that were computed on the way: reading the histograms twice takes twice as long.
pub fn render_and_tell(run: &RunDir) -> Result<(Summary, Vec<PathBuf>), ReportError> {
    let folder = Folder::read(run)?;
    let summary = summary::of_folder(&folder, run)?;
    summary::write(run, &summary)?;
    let mut files = vec![run.file(SUMMARY_FILE)];
    let painter = Painter::new();
    let pictures = plot::all(&folder, &summary);
    for (picture, pixels) in pictures.iter().zip(paint(&painter, &pictures)) {
        let svg = run.file(&format!("{}.svg", picture.name));
        replace(&svg, picture.svg.as_bytes())?;
        let png = run.file(&format!("{}.png", picture.name));
        replace(&png, &pixels?)?;
        let points = run.file(&format!("{}.points.csv", picture.name));
        replace(&points, picture.points.as_bytes())?;
        files.extend([svg, png, points]);
    }
    let page = run.file(html::PAGE_FILE);
    replace(&page, html::page(&folder, &summary, &pictures).as_bytes())?;
    files.push(page);
    Ok((summary, files))
}

/// The pictures as PNG files' bytes, in their order. Painting takes most of the time of a rendering, so all processors share it.
fn paint(painter: &Painter, pictures: &[Picture]) -> Vec<Result<Vec<u8>, ReportError>> {
    let workers = std::thread::available_parallelism().map_or(1, NonZero::get).min(MOST_PAINTERS);
    let next = AtomicUsize::new(0);
    let work = || {
        let mut painted = Vec::new();
        while let at = next.fetch_add(1, Ordering::Relaxed)
            && let Some(picture) = pictures.get(at)
        {
            painted.push((at, painter.paint(picture)));
        }
        painted
    };
    let mut painted: Vec<_> = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..workers).map(|_| scope.spawn(work)).collect();
        let joined = threads.into_iter().map(|thread| thread.join());
        joined.flat_map(|painted| painted.unwrap_or_else(|panic| std::panic::resume_unwind(panic))).collect()
    });
    painted.sort_by_key(|(at, _)| *at);
    painted.into_iter().map(|(_, pixels)| pixels).collect()
}
