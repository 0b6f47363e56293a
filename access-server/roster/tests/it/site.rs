//! A site with a group, and an operator who imports.

use kit::auth::{OperatorId, Role};
use kit::testing::Site;
use kit::{Kit, testing};
use people::group::{self, GroupName};
use roster::draft::{self, Confirmed, Draft};
use roster::import::{self, Import};

pub(crate) struct Clerk {
    pub(crate) kit: Kit,
    pub(crate) by: OperatorId,
    _site: Site,
}

/// A clerk at a site on each engine; there is a group 研发.
pub(crate) async fn clerks() -> Vec<Clerk> {
    let migrations = [people::MIGRATIONS, doors::MIGRATIONS, roster::MIGRATIONS].concat();
    let mut clerks = Vec::new();
    for site in testing::sites(&migrations).await {
        let by = testing::operator(&site.kit, Role::Manager).await.id;
        let mut tx = site.kit.begin().await.unwrap();
        let name = GroupName { key: "lab".into(), name: "研发".into(), latin: "Lab".into() };
        group::add(&mut tx, None, &name).await.unwrap();
        tx.commit().await.unwrap();
        clerks.push(Clerk { kit: site.kit.clone(), by, _site: site });
    }
    clerks
}

impl Clerk {
    /// Uploads a list, with what was chosen for it.
    pub(crate) async fn uploads(&self, list: &str, choose: impl FnOnce(&mut draft::Choice)) -> String {
        let id = draft::put(&self.kit, self.by, "list.csv", list.as_bytes().to_vec()).await.unwrap();
        let mut choice = self.draft(&id).choice.clone();
        choose(&mut choice);
        draft::choose(&self.kit, self.by, &id, choice).await.unwrap();
        id
    }

    pub(crate) fn draft(&self, id: &str) -> Draft {
        Draft::clone(&draft::get(&self.kit, self.by, id).unwrap())
    }

    /// Confirms what is shown.
    pub(crate) async fn confirms(&self, id: &str) -> Confirmed {
        let shown = self.draft(id);
        let fingerprint = &shown.plan.fingerprint;
        draft::confirm(&self.kit, self.by, id, fingerprint, shown.choice.whole).await.unwrap()
    }

    /// Imports a list, up to its end.
    pub(crate) async fn imports(&self, list: &str) -> Import {
        let id = self.uploads(list, |_| {}).await;
        let Confirmed::Begun(import) = self.confirms(&id).await else { panic!("the site has not changed") };
        while import::advance(&self.kit).await.unwrap() {}
        import::get(&self.kit, import).await.unwrap().unwrap()
    }

    /// What is wrong with a list: line and kind.
    pub(crate) async fn finds_wrong(&self, list: &str) -> Vec<(u32, &'static str)> {
        let id = self.uploads(list, |_| {}).await;
        let rows = self.draft(&id).plan.rows.clone();
        rows.iter()
            .filter_map(|row| match &row.fate {
                draft::Fate::Wrong(wrong) => Some(wrong.iter().map(|wrong| (row.line, wrong.code))),
                draft::Fate::New(_) | draft::Fate::Changed(_) | draft::Fate::Same => None,
            })
            .flatten()
            .collect()
    }
}
