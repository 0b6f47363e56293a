//! Errors of recognition at each threshold: counts.

use serde::Serialize;

use super::Sample;

/// What the best must be better than the second-best person by, as a site's policy has it unless it says otherwise.
pub(super) const MARGIN: f32 = 0.05;
const THRESHOLDS: [f32; 7] = [0.30, 0.363, 0.40, 0.45, 0.50, 0.55, 0.60];

/// One to one and one to many.
#[derive(Debug, Serialize)]
pub(super) struct Recognition {
    /// Pairs of photographs of the same person.
    pub(super) genuine: usize,
    /// Pairs of photographs of different people.
    pub(super) impostor: usize,
    /// Pairs of the same person of which one has the mouth covered.
    pub(super) covered: usize,
    pub(super) least_genuine: Option<f32>,
    pub(super) greatest_impostor: Option<f32>,
    /// People whose first photograph was enrolled, for the search.
    pub(super) enrolled: usize,
    /// Searches with a further photograph of somebody enrolled, and searches with somebody taken out of the gallery.
    pub(super) mated: usize,
    pub(super) unmated: usize,
    pub(super) rows: Vec<Row>,
}

/// Errors at one threshold.
#[derive(Debug, Serialize)]
pub(super) struct Row {
    pub(super) threshold: f32,
    /// Pairs of the same person below it: FNMR.
    pub(super) missed: usize,
    /// Pairs of different people from it: FMR.
    pub(super) taken: usize,
    pub(super) covered_missed: usize,
    /// Searches in which an enrolled person was not found, or another one was nearer: FNIR.
    pub(super) not_found: usize,
    /// Searches in which somebody who is not enrolled was taken for somebody: FPIR.
    pub(super) strangers_taken: usize,
    /// The same two with the margin asked for.
    pub(super) not_clear: usize,
    pub(super) strangers_clear: usize,
}

impl Recognition {
    /// Compares all with all.
    pub(super) fn of(samples: &[Sample<'_>]) -> Self {
        let (mut genuine, mut impostor, mut covered) = (Vec::new(), Vec::new(), Vec::new());
        for (at, sample) in samples.iter().enumerate() {
            for (other_at, other) in samples.iter().enumerate() {
                let same = sample.label == other.label;
                if other_at < at {
                    let pairs = if same { &mut genuine } else { &mut impostor };
                    pairs.push(sample.template.cosine(&other.template));
                }
                if let Some(template) = &sample.covered
                    && same
                    && other_at != at
                {
                    covered.push(template.cosine(&other.template));
                }
            }
        }
        let searches = searches(samples);
        let rows = THRESHOLDS
            .into_iter()
            .map(|threshold| Row {
                threshold,
                missed: genuine.iter().filter(|cosine| **cosine < threshold).count(),
                taken: impostor.iter().filter(|cosine| **cosine >= threshold).count(),
                covered_missed: covered.iter().filter(|cosine| **cosine < threshold).count(),
                not_found: searches
                    .iter()
                    .filter_map(|search| search.own.map(|own| (own, search.others)))
                    .filter(|&(own, others)| own < threshold || own <= others)
                    .count(),
                strangers_taken: searches.iter().filter(|search| search.others >= threshold).count(),
                not_clear: searches
                    .iter()
                    .filter_map(|search| search.own.map(|own| (own, search.others)))
                    .filter(|&(own, others)| own < threshold || own - others < MARGIN)
                    .count(),
                strangers_clear: searches
                    .iter()
                    .filter(|search| search.others >= threshold && search.others - search.second >= MARGIN)
                    .count(),
            })
            .collect();
        Self {
            genuine: genuine.len(),
            impostor: impostor.len(),
            covered: covered.len(),
            least_genuine: genuine.into_iter().reduce(f32::min),
            greatest_impostor: impostor.into_iter().reduce(f32::max),
            enrolled: samples.iter().enumerate().filter(|(at, _)| is_first(samples, *at)).count(),
            mated: searches.iter().filter(|search| search.own.is_some()).count(),
            unmated: searches.len(),
            rows,
        }
    }
}

/// The nearest enrolled photographs to one that is not enrolled, or to the only one of somebody who is then taken out.
struct Search {
    /// Cosine with the person's own enrolled photograph, if this is another one.
    own: Option<f32>,
    /// The greatest with anybody else's, and the second greatest.
    others: f32,
    second: f32,
}

fn searches(samples: &[Sample<'_>]) -> Vec<Search> {
    let search = |(at, sample): (usize, &Sample<'_>)| {
        let enrolled = |&(other, _): &(usize, &Sample<'_>)| other != at && is_first(samples, other);
        let mut search = Search { own: None, others: -1.0, second: -1.0 };
        for (_, other) in samples.iter().enumerate().filter(enrolled) {
            let cosine = sample.template.cosine(&other.template);
            match other.label == sample.label {
                true => search.own = Some(cosine),
                false if cosine > search.others => {
                    (search.others, search.second) = (cosine, search.others);
                }
                false => search.second = search.second.max(cosine),
            }
        }
        search
    };
    samples.iter().enumerate().map(search).collect()
}

/// Whether this is the person's first photograph; photographs of a person lie together.
fn is_first(samples: &[Sample<'_>], at: usize) -> bool {
    at == 0 || samples[at - 1].label != samples[at].label
}
