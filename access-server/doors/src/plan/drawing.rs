//! Drawings (SVG): read, and written out anew from an allow-list of shapes and of how they are painted. Scripts, events,
//! links, pictures, fonts, animations and everything of another document are left behind, and so is whatever is not known.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use roxmltree::{Document, Node, NodeType, ParsingOptions};

use super::style::{self, Paint};
use super::{KEPT_MAX, Media, Picture, Refusal};

const SVG: &str = "http://www.w3.org/2000/svg";
const XLINK: &str = "http://www.w3.org/1999/xlink";
/// Elements, attributes and texts of a drawing at most.
const NODES_MAX: u32 = 400_000;
/// Elements in one another at most.
const DEPTH_MAX: usize = 64;
/// Elements that all references together repeat at most.
const REPEATED_MAX: usize = 400_000;
/// The longest attribute: a path.
const ATTRIBUTE_MAX: usize = 4 * 1024 * 1024;

/// Elements that are kept.
const ELEMENTS: &[&str] = &[
    "circle",
    "clipPath",
    "defs",
    "ellipse",
    "g",
    "line",
    "linearGradient",
    "path",
    "polygon",
    "polyline",
    "radialGradient",
    "rect",
    "stop",
    "svg",
    "symbol",
    "text",
    "tspan",
    "use",
];
/// Elements that only hold others: these are kept, they are not.
const HOLDERS: &[&str] = &["a", "switch"];
/// Attributes that say where and how large: numbers, words and lists of them.
const GEOMETRY: &[&str] = &[
    "clipPathUnits",
    "cx",
    "cy",
    "d",
    "dx",
    "dy",
    "fx",
    "fy",
    "gradientTransform",
    "gradientUnits",
    "height",
    "offset",
    "points",
    "preserveAspectRatio",
    "r",
    "rotate",
    "rx",
    "ry",
    "spreadMethod",
    "textLength",
    "transform",
    "viewBox",
    "width",
    "x",
    "x1",
    "x2",
    "y",
    "y1",
    "y2",
];

pub(super) fn rewrite(upload: &[u8]) -> Result<Picture, Refusal> {
    let text = std::str::from_utf8(upload).map_err(|_| Refusal::Unknown)?;
    let options = ParsingOptions { allow_dtd: false, nodes_limit: NODES_MAX, ..ParsingOptions::default() };
    let document = Document::parse_with_options(without_doctype(text), options).map_err(|error| {
        let is_large = matches!(error, roxmltree::Error::NodesLimitReached);
        match (is_large, text.contains("<svg")) {
            (true, _) => Refusal::TooLarge,
            (false, true) => Refusal::Damaged,
            (false, false) => Refusal::Unknown,
        }
    })?;
    let root = document.root_element();
    if !root.has_tag_name((SVG, "svg")) {
        return Err(Refusal::Unknown);
    }
    let [left, top, width, height] = view(&root).ok_or(Refusal::TooSmall)?;
    let mut writer = Writer::new(&document)?;
    let (wide, high) = (width.ceil() as u32, height.ceil() as u32);
    // Writing into a string cannot fail.
    let _ = write!(
        writer.out,
        "<svg xmlns=\"{SVG}\" viewBox=\"{left} {top} {width} {height}\" width=\"{wide}\" height=\"{high}\""
    );
    writer.paint(&root);
    writer.out.push('>');
    writer.children(&root, 1)?;
    writer.out.push_str("</svg>");
    Ok(Picture { media: Media::Svg, width: wide, height: high, bytes: writer.out.into_bytes() })
}

/// Exports begin with the name of SVG's own grammar. What could be said in one is not said to the reader.
fn without_doctype(text: &str) -> &str {
    let Some(at) = text.find("<!DOCTYPE") else { return text };
    match (text[at..].find('['), text[at..].find('>')) {
        (None, Some(end)) => text[at + end + 1..].trim_start(),
        (Some(inner), Some(end)) if end < inner => text[at + end + 1..].trim_start(),
        // One with a grammar of its own is refused by the reader.
        _ => text,
    }
}

/// What the drawing shows: left, top, width, height, of sides from 16 to 100,000.
fn view(root: &Node<'_, '_>) -> Option<[f64; 4]> {
    let numbers = |text: &str| -> Option<Vec<f64>> {
        let parts = text.split([' ', ',', '\n', '\t']).filter(|part| !part.is_empty());
        parts.map(|part| part.parse().ok().filter(|it: &f64| it.is_finite())).collect()
    };
    let length = |name| {
        let text = root.attribute(name)?.trim();
        text.trim_end_matches(|letter: char| letter.is_ascii_alphabetic()).parse::<f64>().ok()
    };
    let view = match root.attribute("viewBox").and_then(numbers).as_deref() {
        Some([left, top, width, height]) => [*left, *top, *width, *height],
        _ => [0.0, 0.0, length("width")?, length("height")?],
    };
    let fits = |side: f64| (16.0..=100_000.0).contains(&side);
    (fits(view[2]) && fits(view[3]) && view.iter().all(|it| it.abs() < 1e9)).then_some(view)
}

struct Writer {
    out: String,
    classes: BTreeMap<String, Paint>,
    /// Elements by id that hold no reference themselves, with how many elements they are.
    repeatable: BTreeMap<String, usize>,
    repeated: usize,
}

impl Writer {
    fn new(document: &Document<'_>) -> Result<Self, Refusal> {
        let mut classes = BTreeMap::new();
        let mut repeatable = BTreeMap::new();
        for node in document.descendants().filter(Node::is_element) {
            if node.ancestors().take(DEPTH_MAX + 2).count() > DEPTH_MAX {
                return Err(Refusal::TooDeep);
            }
            if node.has_tag_name((SVG, "style")) {
                let sheet: String = node.children().filter_map(|it| it.text()).collect();
                style::classes(&sheet, &mut classes);
            }
            if let Some(id) = node.attribute("id")
                && !node.descendants().any(|it| it.has_tag_name((SVG, "use")))
            {
                repeatable.insert(id.to_owned(), node.descendants().filter(Node::is_element).count());
            }
        }
        Ok(Self { out: String::new(), classes, repeatable, repeated: 0 })
    }

    fn children(&mut self, node: &Node<'_, '_>, depth: usize) -> Result<(), Refusal> {
        if depth > DEPTH_MAX {
            return Err(Refusal::TooDeep);
        }
        if self.out.len() > KEPT_MAX {
            return Err(Refusal::TooLarge);
        }
        for child in node.children() {
            match child.node_type() {
                NodeType::Text if matches!(node.tag_name().name(), "text" | "tspan") => {
                    let text = child.text().unwrap_or_default();
                    escape(&mut self.out, text);
                }
                NodeType::Element => self.element(&child, depth)?,
                NodeType::Text | NodeType::Root | NodeType::Comment | NodeType::PI => {}
            }
        }
        Ok(())
    }

    fn element(&mut self, node: &Node<'_, '_>, depth: usize) -> Result<(), Refusal> {
        let tag = node.tag_name();
        if tag.namespace() != Some(SVG) {
            return Ok(());
        }
        if HOLDERS.contains(&tag.name()) {
            return self.children(node, depth + 1);
        }
        if ELEMENTS.binary_search(&tag.name()).is_err() {
            return Ok(());
        }
        let reference = if tag.name() == "use" {
            let Some(id) = self.reference(node)? else { return Ok(()) };
            Some(id)
        } else {
            None
        };
        let _ = write!(self.out, "<{}", tag.name());
        if let Some(id) = reference {
            let _ = write!(self.out, " href=\"#{id}\"");
        }
        for attribute in node.attributes().filter(|it| it.namespace().is_none()) {
            let (name, value) = (attribute.name(), attribute.value());
            let kept = match name {
                "id" => style::is_id(value),
                name => GEOMETRY.binary_search(&name).is_ok() && is_geometry(value),
            };
            if kept {
                let _ = write!(self.out, " {name}=\"");
                escape(&mut self.out, value);
                self.out.push('"');
            }
        }
        self.paint(node);
        self.out.push('>');
        self.children(node, depth + 1)?;
        let _ = write!(self.out, "</{}>", tag.name());
        Ok(())
    }

    /// The element that is repeated here: one of this drawing that repeats none itself, so that nothing grows out of a few
    /// lines without measure.
    fn reference(&mut self, node: &Node<'_, '_>) -> Result<Option<String>, Refusal> {
        let href = node.attribute("href").or_else(|| node.attribute((XLINK, "href")));
        let Some(id) = href.and_then(|href| href.strip_prefix('#')).filter(|id| style::is_id(id)) else {
            return Ok(None);
        };
        let Some(size) = self.repeatable.get(id) else { return Ok(None) };
        self.repeated += size;
        if self.repeated > REPEATED_MAX { Err(Refusal::TooDeep) } else { Ok(Some(id.to_owned())) }
    }

    /// How it is painted: by attribute, then by class, then by its own style; the later wins.
    fn paint(&mut self, node: &Node<'_, '_>) {
        let mut paint = Paint::new();
        for attribute in node.attributes().filter(|it| it.namespace().is_none()) {
            if let Some(name) = style::property(attribute.name())
                && let Some(value) = style::value(name, attribute.value())
            {
                paint.insert(name, value);
            }
        }
        for class in node.attribute("class").unwrap_or_default().split_whitespace() {
            if let Some(rule) = self.classes.get(class) {
                paint.extend(rule.iter().map(|(name, value)| (*name, value.clone())));
            }
        }
        paint.extend(style::declarations(node.attribute("style").unwrap_or_default()));
        for (name, value) in paint {
            let _ = write!(self.out, " {name}=\"");
            escape(&mut self.out, &value);
            self.out.push('"');
        }
    }
}

/// Numbers, words, and lists of them.
fn is_geometry(value: &str) -> bool {
    let is_it = |byte: u8| byte.is_ascii_alphanumeric() || b" \t\r\n.,-+%()".contains(&byte);
    value.len() <= ATTRIBUTE_MAX && value.bytes().all(is_it)
}

fn escape(out: &mut String, text: &str) {
    for letter in text.chars() {
        match letter {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            letter => out.push(letter),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(svg: &str) -> String {
        String::from_utf8(rewrite(svg.as_bytes()).unwrap().bytes).unwrap()
    }

    fn inside(inner: &str) -> String {
        written(&format!(
            "<svg xmlns=\"{SVG}\" xmlns:xlink=\"{XLINK}\" viewBox=\"0 0 200 100\">{inner}</svg>"
        ))
    }

    #[test]
    fn the_lists_are_in_order() {
        assert!(ELEMENTS.is_sorted() && GEOMETRY.is_sorted());
    }

    #[test]
    fn what_draws_is_kept_with_its_paint() {
        let svg = inside(
            "<style>.w{fill:none;stroke:#111}</style><g transform=\"translate(1,2)\"><path class=\"w\" d=\"M0 0L10 10\" \
             style=\"stroke-width:2\"/><text x=\"5\">大厅 &amp; <tspan>A</tspan></text></g>",
        );
        assert!(svg.contains("<g transform=\"translate(1,2)\">"), "{svg}");
        assert!(svg.contains("d=\"M0 0L10 10\" fill=\"none\" stroke=\"#111\" stroke-width=\"2\""), "{svg}");
        assert!(svg.contains(">大厅 &amp; <tspan>A</tspan></text>"), "{svg}");
        let document = Document::parse(&svg).unwrap();
        assert_eq!(document.root_element().attribute("viewBox"), Some("0 0 200 100"));
    }

    #[test]
    fn nothing_that_acts_or_fetches_is_left() {
        for hostile in [
            "<script>alert(1)</script>",
            "<script xlink:href=\"//a.example/x.js\"/>",
            "<rect onload=\"alert(1)\" width=\"1\"/>",
            "<image href=\"https://a.example/x.png\" width=\"9\"/>",
            "<foreignObject><body xmlns=\"http://www.w3.org/1999/xhtml\"><iframe src=\"javascript:alert(1)\"/></body></foreignObject>",
            "<a xlink:href=\"javascript:alert(1)\"><rect width=\"5\"/></a>",
            "<use href=\"https://a.example/x.svg#a\"/>",
            "<animate attributeName=\"href\" to=\"javascript:alert(1)\"/>",
            "<set attributeName=\"onload\" to=\"alert(1)\"/>",
            "<rect fill=\"url(https://a.example/x)\"/>",
            "<rect style=\"background:url(https://a.example/x)\"/>",
            "<style>@import url(https://a.example/x.css);</style>",
            "<g><title>alert</title><desc>javascript</desc></g>",
            "<x:script xmlns:x=\"http://www.w3.org/1999/xhtml\">alert(1)</x:script>",
            "<handler xmlns=\"http://www.w3.org/2001/xml-events\">alert(1)</handler>",
            "<?xml-stylesheet href=\"https://a.example/x.xsl\"?>",
            "<path d=\"M0 0&quot; onload=&quot;alert(1)\"/>",
        ] {
            let svg = inside(hostile);
            for word in ["script", "alert", "example", "onload", "iframe", "import", "stylesheet"] {
                assert!(!svg.contains(word), "{hostile}: {svg}");
            }
            Document::parse(&svg).unwrap();
        }
    }

    #[test]
    fn a_link_goes_and_what_it_held_stays() {
        assert!(inside("<a href=\"x\"><rect width=\"5\"/></a>").contains("<rect width=\"5\"></rect>"));
    }

    #[test]
    fn references_repeat_only_what_repeats_nothing() {
        let svg = inside("<defs><g id=\"a\"><rect/></g></defs><use xlink:href=\"#a\" x=\"5\"/>");
        assert!(svg.contains("<use href=\"#a\" x=\"5\">"), "{svg}");
        // A tenth of it grows ten times with each line.
        let mut bomb = String::from("<g id=\"a0\"><rect/></g>");
        for at in 1..10 {
            let uses = format!("<use href=\"#a{}\"/>", at - 1).repeat(10);
            bomb.push_str(&format!("<g id=\"a{at}\">{uses}</g>"));
        }
        assert_eq!(inside(&bomb).matches("<use").count(), 10, "only those of what holds none");
        let many = format!("<g id=\"a\">{}</g>{}", "<rect/>".repeat(1000), "<use href=\"#a\"/>".repeat(1000));
        let many = format!("<svg xmlns=\"{SVG}\" viewBox=\"0 0 99 99\">{many}</svg>");
        assert_eq!(rewrite(many.as_bytes()).unwrap_err(), Refusal::TooDeep);
    }

    #[test]
    fn what_is_no_drawing_is_refused_by_its_reason() {
        let entities =
            "<!DOCTYPE svg [<!ENTITY a \"aaaa\">]><svg xmlns=\"http://www.w3.org/2000/svg\">&a;</svg>";
        let deep = format!(
            "<svg xmlns=\"{SVG}\" viewBox=\"0 0 99 99\">{}{}</svg>",
            "<g>".repeat(99),
            "</g>".repeat(99)
        );
        for (upload, refusal) in [
            ("<html></html>", Refusal::Unknown),
            ("no", Refusal::Unknown),
            ("<svg", Refusal::Damaged),
            (entities, Refusal::Damaged),
            ("<svg xmlns=\"http://www.w3.org/2000/svg\"/>", Refusal::TooSmall),
            ("<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 NaN 5\"/>", Refusal::TooSmall),
            (deep.as_str(), Refusal::TooDeep),
        ] {
            assert_eq!(rewrite(upload.as_bytes()).unwrap_err(), refusal, "{upload:.60}");
        }
        assert_eq!(rewrite(&[0xff, 0xfe, 0]).unwrap_err(), Refusal::Unknown);
    }

    #[test]
    fn a_drawing_a_hundred_thousand_deep_is_refused_and_nothing_ends_by_it() {
        let deep = "<g>".repeat(100_000) + &"</g>".repeat(100_000);
        let svg = format!("<svg xmlns=\"{SVG}\" viewBox=\"0 0 99 99\">{deep}</svg>");
        // As large a stack as the worker that rewrites has.
        let refused = std::thread::Builder::new()
            .stack_size(2 << 20)
            .spawn(move || rewrite(svg.as_bytes()).unwrap_err())
            .unwrap();
        assert!(matches!(refused.join().unwrap(), Refusal::TooDeep | Refusal::Damaged));
    }

    #[test]
    fn an_export_with_the_name_of_its_grammar_is_read() {
        let svg = written(
            "<?xml version=\"1.0\"?>\n<!DOCTYPE svg PUBLIC \"-//W3C//DTD SVG 1.1//EN\" \
             \"http://www.w3.org/Graphics/SVG/1.1/DTD/svg11.dtd\">\n<svg xmlns=\"http://www.w3.org/2000/svg\" \
             width=\"210mm\" height=\"297mm\"><rect width=\"5\"/></svg>",
        );
        assert!(svg.contains("viewBox=\"0 0 210 297\"") && svg.contains("<rect"), "{svg}");
    }
}
