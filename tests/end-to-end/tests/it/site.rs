//! The pages of the site in a real browser: the tree, a door, rights, devices, a floor's plan.

use anyhow::{Context, Result, ensure};
use building::running::Building;
use serde_json::json;

use crate::browser::Browser;

/// The demonstration's ground floor, as an architect's program writes one.
const PLAN: &str = include_str!("ground-floor.svg");

/// A webhook is made, its secret shown; a receiver that is not there is said to be so.
pub(crate) fn webhook(building: &Building, browser: &Browser) -> Result<()> {
    let page = &browser.session;
    page.press_on("link", &["设置"])?;
    page.find("heading", &["API 令牌"])?;
    browser.pictures("tokens-zh-CN")?;
    page.press_on("link", &["事件推送"])?;
    page.find("status", &["还没有事件推送"])?;
    page.type_into(&page.find("textbox", &["名称"])?, "考勤系统")?;
    page.type_into(&page.find("textbox", &["接收地址"])?, "https://127.0.0.1:9/in")?;
    page.run("document.querySelector('input[name=topic]').checked = true")?;
    page.press_on("button", &["新建"])?;
    page.find("status", &["考勤系统 的签名密钥"])?;
    browser.pictures("webhooks-zh-CN")?;
    page.press_on("link", &["考勤系统"])?;
    page.press_on("button", &["发送测试"])?;
    page.find("status", &["测试记录已写入日志"])?;
    let shown = "return document.body.innerText.includes('该地址不允许推送') || (location.reload(), false)";
    page.holds(shown)?;
    browser.pictures("webhook-zh-CN")?;
    page.press_on("link", &["Switch to English"])?;
    page.find("heading", &["The last tries in vain"])?;
    browser.pictures("webhook-en")?;
    page.press_on("link", &["切换到中文"])?;
    page.press_on("button", &["暂停"])?;
    page.find("status", &["已暂停"])?;
    page.go(&format!("{}/", building.console().trim_end_matches('/')))?;
    page.find("heading", &["现在有异常吗？"]).map(drop)
}

/// Every page of the site, in both languages.
pub(crate) fn looked_at(building: &Building, browser: &Browser) -> Result<()> {
    let page = &browser.session;
    page.press_on("link", &["站点"])?;
    page.find("heading", &["站点", "政务中心"])?;
    page.find("listitem", &["正门", "来自室外", "已锁"])?;
    browser.pictures("site-zh-CN")?;
    page.press_on("link", &["正门"])?;
    page.find("heading", &["正门"])?;
    page.find("listitem", &["演示可在任何时间进入。"])?;
    browser.pictures("door-zh-CN")?;
    page.press_on("link", &["修改"])?;
    page.find("heading", &["正门"])?;
    browser.pictures("door-edit-zh-CN")?;
    page.press_on("button", &["保存"])?;
    page.find("status", &["已保存"])?;

    let at = |path: &str| format!("{}{path}", building.console().trim_end_matches('/'));
    for (path, heading, name) in [
        ("/site/areas/new", "新增区域", "area-new"),
        ("/access/levels/1/edit", "职员工作日", "level-edit"),
        ("/access/schedules/2/edit", "工作时间", "schedule-edit"),
        ("/site/settings", "站点设置", "site-settings"),
        ("/devices", "设备", "devices"),
        ("/devices/controller-1", "一号控制器", "device"),
        ("/devices/firmware", "固件", "firmware"),
        ("/devices/enrol", "登记设备", "enrol"),
        ("/devices/certificates", "设备证书", "certificates"),
        ("/access", "通行权限", "access"),
    ] {
        page.go(&at(path))?;
        page.find("heading", &[heading])?;
        browser.pictures(&format!("{name}-zh-CN"))?;
    }
    page.press_on("link", &["Switch to English"])?;
    for (path, heading, name) in [
        ("/site", "Site", "site"),
        ("/site/doors/1", "Main Door", "door"),
        ("/site/doors/1/edit", "Main Door", "door-edit"),
        ("/access", "Access", "access"),
        ("/access/schedules/2/edit", "Office Hours", "schedule-edit"),
        ("/devices", "Devices", "devices"),
        ("/devices/firmware", "Firmware", "firmware"),
        ("/devices/enrol", "Enrol devices", "enrol"),
    ] {
        page.go(&at(path))?;
        page.find("heading", &[heading])?;
        browser.pictures(&format!("{name}-en"))?;
    }
    refused(browser, &at("/site/areas/new"))?;
    page.press_on("link", &["切换到中文"])?;
    page.go(&at("/"))?;
    page.find("heading", &["现在有异常吗？"]).map(drop)
}

/// A form that is refused says why at the field and keeps what was typed.
fn refused(browser: &Browser, address: &str) -> Result<()> {
    let page = &browser.session;
    page.go(address)?;
    page.find("heading", &["Add an area"])?;
    page.type_into(&page.find("textbox", &["Name in Latin"])?, "Typed")?;
    page.press_on("button", &["Save"])?;
    page.holds("return document.querySelector('.fault')?.textContent.includes('Give a name')")?;
    page.holds("return document.querySelector('input[name=latin]').value === 'Typed'")?;
    browser.pictures("area-refused-en")?;
    // The browser tells of the refusal itself, and of nothing else.
    let told: Vec<_> = page.log()?.into_iter().filter(|line| line.level == "SEVERE").collect();
    ensure!(told.iter().all(|line| line.message.contains("status of 422")), "{told:?}");
    page.go(&address.replace("/site/areas/new", "/site"))?;
    page.find("heading", &["Site"]).map(drop)
}

/// The plan of a floor, from the upload to the doors that live on it.
pub(crate) fn plan(building: &Building, browser: &Browser) -> Result<()> {
    let page = &browser.session;
    page.press_on("link", &["站点"])?;
    page.press_on("link", &["上传平面图"])?;
    page.find("heading", &["编辑平面图"])?;
    browser.pictures("plan-empty-zh-CN")?;
    let choose = format!(
        "const files = new DataTransfer(); files.items.add(new File([{}], 'ground-floor.svg')); \
         const form = document.querySelector('form.upload'); form.elements.picture.files = files.files; \
         form.requestSubmit(); return true",
        json!(PLAN)
    );
    ensure!(page.run(&choose)? == true, "the file was not chosen");
    page.holds("return document.querySelectorAll('svg.editing image').length === 1")?;
    // Put on the plan by a button, dragged by the pointer, moved by the keyboard.
    let put = "for (const it of document.querySelectorAll('.put:not([hidden])')) it.click(); \
               return document.querySelectorAll('.put:not([hidden])').length";
    ensure!(page.run(put)? == 0, "not every door was put on the plan");
    for (door, x, y) in [(1, 0.48, 0.89), (2, 0.53, 0.45), (3, 0.76, 0.43)] {
        drag(browser, door, x, y)?;
    }
    let before = place(browser, 1)?;
    page.run("document.querySelector('.mark[data-door=\"1\"]').focus()")?;
    for _ in 0..4 {
        page.devtools(
            "Input.dispatchKeyEvent",
            &json!({ "type": "keyDown", "key": "ArrowLeft", "code": "ArrowLeft" }),
        )?;
    }
    let after = place(browser, 1)?;
    ensure!((before - after - 1.0).abs() < 0.01, "four presses moved the door from {before} to {after}");
    browser.pictures("plan-edit-zh-CN")?;
    page.press_on("button", &["保存"])?;
    page.find("status", &["已保存"])?;
    page.find("heading", &["一层"])?;
    page.holds("return document.querySelectorAll('.plan .mark.normal').length === 3")?;
    browser.pictures("plan-zh-CN")?;
    let address = page.run("return location.pathname")?;
    let address = address.as_str().context("an address")?.to_owned();
    // It lives: it is drawn anew when somebody asks to leave.
    page.run(
        "for (const it of document.querySelectorAll('.plan .mark circle')) it.setAttribute('class', 'old')",
    )?;
    building.door.press("rex")?;
    page.holds("return document.querySelectorAll('.plan .mark circle.old').length === 0")?;
    building.door.release("rex")?;
    page.press_on("link", &["Switch to English"])?;
    page.go(&format!("{}{address}", building.console().trim_end_matches('/')))?;
    page.find("heading", &["Ground Floor"])?;
    browser.pictures("plan-en")?;
    page.press_on("link", &["切换到中文"])?;
    page.go(building.console().as_str())?;
    page.find("heading", &["现在有异常吗？"]).map(drop)
}

/// Drags a door's mark to a place on the plan, in parts of its width and height.
fn drag(browser: &Browser, door: u32, x: f64, y: f64) -> Result<()> {
    let page = &browser.session;
    let places = format!(
        "const plan = document.querySelector('svg.editing'); plan.scrollIntoView({{ block: 'center' }}); \
         const of = document.querySelector('.mark[data-door=\"{door}\"] circle').getBoundingClientRect(); \
         const m = plan.getScreenCTM(); const to = new DOMPoint({x} * plan.dataset.width, {y} * plan.dataset.height).matrixTransform(m); \
         return [of.x + of.width / 2, of.y + of.height / 2, to.x, to.y]"
    );
    let places = page.run(&places)?;
    let at = |index: usize| places[index].as_f64().context("a place on the screen");
    let mouse = |kind: &str, x: f64, y: f64, buttons: u8| {
        let event =
            json!({ "type": kind, "x": x, "y": y, "button": "left", "buttons": buttons, "clickCount": 1 });
        page.devtools("Input.dispatchMouseEvent", &event)
    };
    mouse("mousePressed", at(0)?, at(1)?, 1)?;
    mouse("mouseMoved", at(2)?, at(3)?, 1)?;
    mouse("mouseReleased", at(2)?, at(3)?, 0)?;
    let reached = place(browser, door)?;
    ensure!((reached - x * 100.0).abs() < 1.0, "door {door} was dragged to {reached} %");
    Ok(())
}

/// How far from the left a door stands, in percent.
fn place(browser: &Browser, door: u32) -> Result<f64> {
    let value =
        browser.session.run(&format!("return document.querySelector('input[name=\"x-{door}\"]').value"))?;
    value.as_str().context("a value")?.parse().context("a percentage")
}
