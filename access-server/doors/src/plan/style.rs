//! How a drawing's shapes are painted: presentation attributes, by themselves, in `style`, or by class.

use std::collections::BTreeMap;

/// Properties that are kept, as attributes.
const PROPERTIES: &[&str] = &[
    "clip-path",
    "clip-rule",
    "color",
    "display",
    "dominant-baseline",
    "fill",
    "fill-opacity",
    "fill-rule",
    "font-family",
    "font-size",
    "font-style",
    "font-weight",
    "letter-spacing",
    "opacity",
    "stop-color",
    "stop-opacity",
    "stroke",
    "stroke-dasharray",
    "stroke-dashoffset",
    "stroke-linecap",
    "stroke-linejoin",
    "stroke-miterlimit",
    "stroke-opacity",
    "stroke-width",
    "text-anchor",
    "vector-effect",
    "visibility",
];
/// The longest value.
const VALUE_MAX: usize = 1024;
/// Classes of a drawing at most.
const CLASSES_MAX: usize = 4096;

/// What is painted how: property and value.
pub(super) type Paint = BTreeMap<&'static str, String>;

/// The name of a property that is kept.
pub(super) fn property(name: &str) -> Option<&'static str> {
    PROPERTIES.binary_search(&name).ok().map(|at| PROPERTIES[at])
}

/// A value that paints and does nothing else: no other document, no escape, no function but colours and references
/// within the drawing.
pub(super) fn value(property: &str, value: &str) -> Option<String> {
    let value = value.trim().trim_end_matches("!important").trim_end();
    if value.is_empty() || value.len() > VALUE_MAX {
        return None;
    }
    if let Some(id) = value.strip_prefix("url(").and_then(|rest| rest.strip_suffix(')')) {
        let id = id.trim().trim_matches(['"', '\'']);
        let may_refer = matches!(property, "fill" | "stroke" | "clip-path");
        return id.strip_prefix('#').filter(|id| may_refer && is_id(id)).map(|id| format!("url(#{id})"));
    }
    let is_plain = |letter: char| letter.is_alphanumeric() || " #.,-+%_'\"".contains(letter);
    let colour = ["rgb(", "rgba(", "hsl(", "hsla("].iter().find_map(|name| value.strip_prefix(name));
    let plain = colour.map_or(Some(value), |rest| rest.strip_suffix(')'));
    plain.is_some_and(|plain| plain.chars().all(is_plain)).then(|| value.to_owned())
}

/// A name within the drawing.
pub(super) fn is_id(id: &str) -> bool {
    !id.is_empty()
        && id.len() <= 200
        && id.chars().all(|letter| letter.is_alphanumeric() || "-_.".contains(letter))
}

/// `fill: none; stroke: #000`.
pub(super) fn declarations(text: &str) -> Paint {
    let declared = text.split(';').filter_map(|one| one.split_once(':'));
    let kept = declared.filter_map(|(name, given)| {
        let name = property(&name.trim().to_ascii_lowercase())?;
        Some((name, value(name, given)?))
    });
    kept.collect()
}

/// What a drawing's style sheets say of classes; rules for anything else are left out.
pub(super) fn classes(sheet: &str, classes: &mut BTreeMap<String, Paint>) {
    let bare = without_comments(sheet);
    for (selectors, body) in bare.split('}').filter_map(|rule| rule.split_once('{')) {
        let paint = declarations(body);
        for selector in selectors.split(',') {
            if let Some(class) = selector.trim().strip_prefix('.').filter(|class| is_id(class))
                && (classes.len() < CLASSES_MAX || classes.contains_key(class))
            {
                classes.entry(class.to_owned()).or_default().extend(paint.clone());
            }
        }
    }
}

fn without_comments(sheet: &str) -> String {
    let mut bare = String::with_capacity(sheet.len());
    let mut rest = sheet;
    while let Some((before, after)) = rest.split_once("/*") {
        bare.push_str(before);
        rest = after.split_once("*/").map_or("", |(_, rest)| rest);
    }
    bare + rest
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_properties_are_in_order() {
        assert!(PROPERTIES.is_sorted());
    }

    #[test]
    fn what_fetches_or_escapes_is_no_paint() {
        for bad in [
            "url(http://a.example/x)",
            "url(#a) url(b)",
            "url(data:image/png;base64,AA)",
            "expression(alert(1))",
            "\\75 rl(#a)",
            "image(x)",
            "red}<script>",
        ] {
            assert_eq!(value("fill", bad), None, "{bad}");
        }
        assert_eq!(value("font-family", "url(#a)"), None);
        assert_eq!(value("fill", "url( '#a' )").as_deref(), Some("url(#a)"));
        assert_eq!(value("stroke", "rgb(1, 2, 3)").as_deref(), Some("rgb(1, 2, 3)"));
        assert_eq!(value("font-family", "'宋体', serif").as_deref(), Some("'宋体', serif"));
    }

    #[test]
    fn classes_paint_and_later_rules_win() {
        let mut found = BTreeMap::new();
        classes(
            "/* a } b */ .a,.b{fill:none;stroke:#111} .a{stroke:#222;behavior:x} #c{fill:red} @import 'x';",
            &mut found,
        );
        let paint = |pairs: &[(&'static str, &str)]| -> Paint {
            pairs.iter().map(|(name, value)| (*name, (*value).to_owned())).collect()
        };
        assert_eq!(found["a"], paint(&[("fill", "none"), ("stroke", "#222")]));
        assert_eq!(found["b"], paint(&[("fill", "none"), ("stroke", "#111")]));
        assert_eq!(found.len(), 2);
    }
}
