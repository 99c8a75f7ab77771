//! SVG → PNG with the fonts in the program: the same picture on every machine, none of its fonts needed.

use std::sync::Arc;

use resvg::{
    tiny_skia::{Pixmap, Transform},
    usvg::{Options, Tree, fontdb},
};

use crate::{
    ReportError,
    plot::{Picture, without_hints},
};

/// Pixels of the file for each of the drawing: a slide of 1200 × 675 becomes 1600 × 900.
const ZOOM: f32 = 4.0 / 3.0;

/// Effort of packing, of 9, on what differs from the row above: bands and upright lines make rows alike. Smaller files than with
/// the best filter row by row at the usual effort of 6, in a third of the time.
const EFFORT: u8 = 3;

static REGULAR: &[u8] = include_bytes!("../assets/DejaVuSans.ttf");
static BOLD: &[u8] = include_bytes!("../assets/DejaVuSans-Bold.ttf");

/// Turns drawings into PNG files.
#[derive(Debug)]
pub struct Painter {
    options: Options<'static>,
}

impl Default for Painter {
    fn default() -> Self {
        Self::new()
    }
}

impl Painter {
    /// With the fonts of the program and no others.
    pub fn new() -> Self {
        let mut fonts = fontdb::Database::new();
        fonts.load_font_data(REGULAR.to_vec());
        fonts.load_font_data(BOLD.to_vec());
        let options =
            Options { fontdb: Arc::new(fonts), font_family: "DejaVu Sans".to_owned(), ..Options::default() };
        Self { options }
    }

    /// The picture as a PNG file's bytes.
    ///
    /// # Errors
    /// [`ReportError::Draw`] when the drawing is no SVG.
    pub fn paint(&self, picture: &Picture) -> Result<Vec<u8>, ReportError> {
        let failed =
            |message: String| ReportError::Draw { picture: format!("{}.png", picture.name), message };
        let tree =
            Tree::from_str(&without_hints(&picture.svg), &self.options).map_err(|e| failed(e.to_string()))?;
        let [width, height] =
            [tree.size().width(), tree.size().height()].map(|side| (side * ZOOM).round() as u32);
        let mut pixels = Pixmap::new(width, height).ok_or_else(|| failed("no room for it".to_owned()))?;
        resvg::render(&tree, Transform::from_scale(ZOOM, ZOOM), &mut pixels.as_mut());
        encoded(&pixels).map_err(|e| failed(e.to_string()))
    }
}

/// Pixels as a file. They are all opaque: the background covers them, and what is not told apart needs no room.
fn encoded(pixels: &Pixmap) -> Result<Vec<u8>, png::EncodingError> {
    let colours: Vec<u8> =
        pixels.pixels().iter().flat_map(|pixel| [pixel.red(), pixel.green(), pixel.blue()]).collect();
    let mut file = Vec::new();
    let mut encoder = png::Encoder::new(&mut file, pixels.width(), pixels.height());
    encoder.set_color(png::ColorType::Rgb);
    encoder.set_depth(png::BitDepth::Eight);
    encoder.set_deflate_compression(png::DeflateCompression::Level(EFFORT));
    encoder.set_filter(png::Filter::Up);
    encoder.write_header()?.write_image_data(&colours)?;
    Ok(file)
}
