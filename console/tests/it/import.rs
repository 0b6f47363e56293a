//! A list of people, from the upload to what came of it, without a script.

use axum::body::Body;
use axum::http::{Request, StatusCode, header};
use kit::Kit;
use kit::auth::Role;
use people::{credential, person};

use crate::browser::{Answer, Browser, sites};

impl Browser {
    /// Uploads a list as a form does.
    async fn uploads(&self, name: &str, list: &[u8]) -> Answer {
        let token = self.token().await;
        let head = format!(
            "--b\r\nContent-Disposition: form-data; name=\"file\"; filename=\"{name}\"\r\nContent-Type: text/csv\r\n\r\n"
        );
        let body = [head.as_bytes(), list, b"\r\n--b--\r\n"].concat();
        let request = Request::post(format!("/import?_csrf={token}"))
            .header(header::CONTENT_TYPE, "multipart/form-data; boundary=b");
        self.send(request, Body::from(body)).await
    }
}

fn fingerprint(page: &str) -> String {
    page.split("name=\"fingerprint\" value=\"").nth(1).unwrap().split('"').next().unwrap().to_owned()
}

async fn write(kit: &Kit) {
    while roster::import::advance(kit).await.unwrap() {}
}

#[tokio::test]
async fn a_list_is_looked_at_confirmed_and_followed() {
    for site in sites().await {
        let kit = &site.kit;
        let clerk = Browser::signed_in(kit, "hr", Role::Manager).await;
        let list = "工号,姓名,卡号\n0012,林晓雨,\"069,54321\"\n0013,<b>欧</b>,\"069,12346\"\n";
        let found = clerk.uploads("名单.csv", list.as_bytes()).await;
        assert_eq!(found.status, StatusCode::SEE_OTHER, "{}", found.page);
        let shown = clerk.get(&found.to).await.page;
        assert!(shown.contains("All is well") && shown.contains("Import 2 people"), "{shown}");
        assert!(!shown.contains("<b>欧") && !shown.contains("54321"), "no card number is shown whole");
        assert_eq!(person::count(kit).await.unwrap(), 0, "nothing is done before it is confirmed");
        let report = clerk.get(&format!("{}/report.csv", found.to)).await.page;
        assert!(
            report.contains("\"2\",\"0012\",\"林晓雨\",\"New\"") && !report.contains("54321"),
            "{report}"
        );

        let fields = format!("fingerprint={}", fingerprint(&shown));
        let begun = clerk.post(&format!("{}/confirm", found.to), &fields).await;
        assert_eq!(begun.status, StatusCode::SEE_OTHER, "{}", begun.page);
        let writing = clerk.get(&begun.to).await.page;
        assert!(writing.contains("not finished") && writing.contains("http-equiv=\"refresh\""), "{writing}");
        write(kit).await;
        let done = clerk.get(&begun.to).await.page;
        assert!(done.contains("2 added") && !done.contains("http-equiv=\"refresh\""), "{done}");
        assert!(clerk.get("/import").await.page.contains("Import 1"));
        let gone = clerk.get(&found.to).await;
        assert!(
            gone.status == StatusCode::UNPROCESSABLE_ENTITY && gone.page.contains("Upload the list again")
        );
    }
}

#[tokio::test]
async fn wrong_rows_come_first_and_are_left_out_when_that_is_pressed() {
    for site in sites().await {
        let kit = &site.kit;
        let clerk = Browser::signed_in(kit, "hr", Role::Manager).await;
        let found = clerk.uploads("a.csv", "工号,姓名,有效期\n1,甲,2026-02-30\n2,乙,\n".as_bytes()).await;
        let shown = clerk.get(&found.to).await.page;
        assert!(
            shown.contains("1 row needs to be mended") && shown.contains("“2026-02-30” is no date"),
            "{shown}"
        );
        let fields = format!("fingerprint={}&skip=yes", fingerprint(&shown));
        let begun = clerk.post(&format!("{}/confirm", found.to), &fields).await;
        assert_eq!(begun.status, StatusCode::SEE_OTHER, "{}", begun.page);
        write(kit).await;
        assert_eq!(person::count(kit).await.unwrap(), 1);
    }
}

#[tokio::test]
async fn columns_are_set_by_hand_and_said_once() {
    for site in sites().await {
        let clerk = Browser::signed_in(&site.kit, "hr", Role::Manager).await;
        let found = clerk.uploads("a.csv", b"Nr;Wer;Karte\n1;Ada;26:0A1B2C40\n").await;
        assert!(clerk.get(&found.to).await.page.contains("Say first which column holds the staff number"));
        let twice = clerk.post(&found.to, "column=number&column=number&column=").await;
        assert!(
            twice.status == StatusCode::UNPROCESSABLE_ENTITY && twice.page.contains("Two columns are said")
        );
        let chosen = clerk.post(&found.to, "column=number&column=name&column=card").await;
        assert_eq!(chosen.status, StatusCode::SEE_OTHER);
        let shown = clerk.get(&found.to).await.page;
        assert!(shown.contains("All is well") && shown.contains("value=\"raw\" selected"), "{shown}");
        let fields = format!("fingerprint={}", fingerprint(&shown));
        clerk.post(&format!("{}/confirm", found.to), &fields).await;
        write(&site.kit).await;
        let id = person::list(&site.kit, None, "", 10).await.unwrap().remove(0).id;
        assert_eq!(credential::of_person(&site.kit, id).await.unwrap().len(), 1);
    }
}

#[tokio::test]
async fn what_is_no_list_is_refused_at_the_field() {
    let site = sites().await.remove(0);
    let clerk = Browser::signed_in(&site.kit, "hr", Role::Manager).await;
    for (upload, words) in
        [(&b""[..], "nothing in the file"), (b"PK\x03\x04", "damaged"), (b"\xd0\xcf\x11\xe0", "old .xls")]
    {
        let refused = clerk.uploads("x", upload).await;
        assert!(
            refused.status == StatusCode::UNPROCESSABLE_ENTITY && refused.page.contains(words),
            "{words}"
        );
    }
    let operator = Browser::signed_in(&site.kit, "op", Role::Operator).await;
    assert_eq!(operator.get("/import").await.status, StatusCode::FORBIDDEN);
    assert_eq!(operator.uploads("a.csv", b"x").await.status, StatusCode::FORBIDDEN);
}

#[tokio::test]
async fn lists_leave_the_house_and_it_is_journaled() {
    for site in sites().await {
        let kit = &site.kit;
        let clerk = Browser::signed_in(kit, "hr", Role::Manager).await;
        let list = "工号,姓名,卡号,有效期\n0012,=林晓雨,\"069,12345\",2026-12-31\n".as_bytes();
        let found = clerk.uploads("a.csv", list).await;
        let shown = clerk.get(&found.to).await.page;
        clerk.post(&format!("{}/confirm", found.to), &format!("fingerprint={}", fingerprint(&shown))).await;
        write(kit).await;
        assert!(clerk.get("/people?find=lxy").await.page.contains("/people/export?find=lxy"));
        assert!(clerk.get("/people/export?find=lxy").await.page.contains("1 person"));
        for (list, row) in [
            ("people", "\"0012\",\"'=林晓雨\",\"\",\"\",\"Employee\",\"\",\"\",\"2026-12-31\""),
            ("credentials", "\"0012\",\"'=林晓雨\",\"card\",\"main\",\"Valid\""),
            ("access", "\"0012\",\"'=林晓雨\",\"\""),
        ] {
            let file = clerk.get(&format!("/people/export/file?list={list}&kind=csv&find=lxy")).await.page;
            assert!(file.starts_with('\u{feff}') && file.contains(row), "{file}");
            assert!(!file.contains("12345"), "a card number is not known, and in no list");
            let sheet = clerk.get(&format!("/people/export/file?list={list}&kind=xlsx")).await;
            assert!(sheet.status == StatusCode::OK && sheet.page.starts_with("PK"), "{list}");
        }
        let records = kit::journal::events_before(kit.read(), u64::MAX, 10).await.unwrap();
        let exports: Vec<_> = records.iter().filter(|it| it.kind == "people.exported").collect();
        assert_eq!(exports.len(), 6);
        assert!(exports.iter().all(|it| !it.body.contains("lxy")), "what was looked for may be a name");
        let template = clerk.get("/import/template.csv").await.page;
        assert!(template.contains("\"Staff number\",\"Name\""), "{template}");
        assert!(clerk.get("/import/template.xlsx").await.page.starts_with("PK"));
    }
}
