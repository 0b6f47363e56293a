//! Lists of people in a real browser: uploaded, looked at, mended, confirmed; photographs beside them.

use anyhow::{Context, Result, ensure};
use building::running::Building;
use serde_json::json;

use crate::browser::Browser;

/// Two good rows, one that changes somebody, and two to be mended.
const LIST: &str = "工号,姓名,部门,人员组,卡号,有效期
00123,张三,研发部,访客组,\"069,12345\",2027-12-31
00124,李四,研发部,访客组,\"069,12346\",长期
00125,王五,财务部,,1.2E+10,
00126,赵六,财务部,,,2026-02-30
";
/// The same, mended.
const MENDED: &str = "工号,姓名,部门,人员组,卡号,有效期
00123,张三,研发部,访客组,\"069,12345\",2027-12-31
00124,李四,研发部,访客组,\"069,12346\",长期
";

pub(crate) fn list(building: &Building, browser: &Browser) -> Result<()> {
    let page = &browser.session;
    page.press_on("link", &["人员"])?;
    page.press_on("link", &["导入"])?;
    page.find("heading", &["导入人员名单"])?;
    browser.pictures("import-zh-CN")?;
    upload(browser, LIST)?;
    page.find("heading", &["行需要修正"])?;
    page.run("document.querySelector('.import-columns').open = true")?;
    browser.pictures("import-wrong-zh-CN")?;
    page.press_on("link", &["修正后重新上传"])?;
    page.find("heading", &["导入人员名单"])?;
    upload(browser, MENDED)?;
    page.find("heading", &["行需要修正"])?;
    // The group is not there yet: it is made when that is ticked.
    page.run("document.querySelector('.import-columns').open = true")?;
    page.press_on("checkbox", &["新建名单中尚不存在的人员组"])?;
    page.press_on("button", &["重新检查"])?;
    page.find("heading", &["没有问题，可以导入"])?;
    browser.pictures("import-good-zh-CN")?;
    page.press_on("link", &["Switch to English"])?;
    page.find("heading", &["it can be imported"])?;
    browser.pictures("import-good-en")?;
    page.press_on("button", &["Import 2 people"])?;
    page.find("heading", &["Done"])?;
    browser.pictures("import-done-en")?;
    page.press_on("link", &["To the people"])?;
    page.press_on("link", &["Export"])?;
    page.find("heading", &["Export"])?;
    browser.pictures("export-en")?;
    page.press_on("link", &["切换到中文"])?;
    let at = |path: &str| format!("{}{path}", building.console().trim_end_matches('/'));
    page.go(&at("/people?find=zhangsan"))?;
    page.find("link", &["张三"])?;
    page.go(&at("/people/export"))?;
    page.find("heading", &["导出"])?;
    browser.pictures("export-zh-CN")?;
    page.go(&at("/"))?;
    page.find("heading", &["现在有异常吗？"]).map(drop)
}

/// Photographs of nobody and of somebody: matched, refused for want of consent, then looked at.
pub(crate) fn photographs(building: &Building, browser: &Browser) -> Result<()> {
    let page = &browser.session;
    let at = |path: &str| format!("{}{path}", building.console().trim_end_matches('/'));
    page.go(&at("/import"))?;
    page.find("heading", &["上传照片"])?;
    // Not a face: the vision process says so.
    let choose = "const bytes = atob('/9j/4AAQSkZJRgABAQEASABIAAD/2wBDAP//////////////////////////////////////////////////////////////////////////////////////wgALCAABAAEBAREA/8QAFBABAAAAAAAAAAAAAAAAAAAAAP/aAAgBAQABPxA='); \
        const file = Uint8Array.from(bytes, it => it.charCodeAt(0)); const files = new DataTransfer(); \
        for (const name of ['00123_张三.jpg', '99999.jpg']) files.items.add(new File([file], name)); \
        const input = document.querySelector('input[name=photos]'); input.files = files.files; \
        input.form.requestSubmit(); return true";
    ensure!(page.run(choose)? == true, "the photographs were not chosen");
    page.find("heading", &["1 张照片找到了人员"])?;
    browser.pictures("photos-zh-CN")?;
    page.press_on("button", &["开始登记人脸"])?;
    page.holds("return document.querySelector('.fault')?.textContent.includes('请先确认')")?;
    page.press_on("checkbox", &["以下人员已签署同意书"])?;
    page.run("document.querySelector('input[name=day]').value = '2026-01-05'; document.querySelector('input[name=version]').value = '2026-1'")?;
    page.press_on("button", &["开始登记人脸"])?;
    page.find("heading", &["已完成"])?;
    page.holds("return document.querySelector('.import-lines tr.wrong') !== null")?;
    browser.pictures("album-zh-CN")?;
    page.go(&at("/"))?;
    page.find("heading", &["现在有异常吗？"])?;
    // The browser tells of the refusal itself, and of nothing else.
    let told: Vec<_> = page.log()?.into_iter().filter(|line| line.level == "SEVERE").collect();
    ensure!(told.iter().all(|line| line.message.contains("status of 422")), "{told:?}");
    Ok(())
}

fn upload(browser: &Browser, list: &str) -> Result<()> {
    let choose = format!(
        "const files = new DataTransfer(); files.items.add(new File([{}], '名单.csv')); \
         const input = document.querySelector('input[name=file]'); input.files = files.files; \
         input.form.requestSubmit(); return true",
        json!(list)
    );
    let chosen = browser.session.run(&choose)?;
    ensure!(chosen.as_bool().context("a truth")?, "the file was not chosen");
    Ok(())
}
