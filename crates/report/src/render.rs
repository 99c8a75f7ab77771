//! A run folder made complete: `summary.json`, pictures and page, again and again from the rows alone.

use std::path::PathBuf;

use crate::{
    ReportError, RunDir,
    folder::Folder,
    html, plot,
    png::Painter,
    record::replace,
    summary::{self, SUMMARY_FILE, Summary},
};

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
    for picture in &pictures {
        let svg = run.file(&format!("{}.svg", picture.name));
        replace(&svg, picture.svg.as_bytes())?;
        let png = run.file(&format!("{}.png", picture.name));
        painter.write(picture, &png)?;
        let points = run.file(&format!("{}.points.csv", picture.name));
        replace(&points, picture.points.as_bytes())?;
        files.extend([svg, png, points]);
    }
    let page = run.file(html::PAGE_FILE);
    replace(&page, html::page(&folder, &summary, &pictures).as_bytes())?;
    files.push(page);
    Ok((summary, files))
}
