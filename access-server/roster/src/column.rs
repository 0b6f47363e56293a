//! What a column holds, and the names that columns go by in Chinese and English offices.

use people::word::Word;
use people::words;

use crate::table::Table;

/// What a column holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Column {
    /// The staff number: whom the row is about.
    Number,
    /// The name as it is shown.
    Name,
    /// The name in Latin letters.
    Latin,
    /// The department.
    Department,
    /// Employee, visitor and so on.
    Kind,
    /// The groups the person belongs to, one or several.
    Groups,
    /// The card.
    Card,
    /// The card's facility code, where it stands apart from its number.
    Facility,
    /// The first day.
    From,
    /// The last day.
    Until,
    /// Whether they may pass at all.
    Status,
    /// 0 to 7.
    Clearance,
    /// The site's own name for the row.
    Key,
}

words!(Column {
    Number = "number",
    Name = "name",
    Latin = "latin",
    Department = "department",
    Kind = "kind",
    Groups = "groups",
    Card = "card",
    Facility = "facility",
    From = "from",
    Until = "until",
    Status = "status",
    Clearance = "clearance",
    Key = "key",
});

/// The names a column goes by, in lower case and without spaces or punctuation.
const NAMES: [(Column, &[&str]); 13] = [
    (
        Column::Number,
        &[
            "工号",
            "员工号",
            "员工编号",
            "人员编号",
            "职工号",
            "学号",
            "编号",
            "staffnumber",
            "staffno",
            "staffid",
            "employeenumber",
            "employeeno",
            "employeeid",
            "number",
            "personnelnumber",
        ],
    ),
    (
        Column::Name,
        &[
            "姓名",
            "名字",
            "人员姓名",
            "员工姓名",
            "中文名",
            "中文姓名",
            "name",
            "fullname",
            "employeename",
            "displayname",
        ],
    ),
    (
        Column::Latin,
        &[
            "拼音",
            "姓名拼音",
            "英文名",
            "英文姓名",
            "外文名",
            "拼音或外文名",
            "latin",
            "latinname",
            "englishname",
            "pinyin",
            "nameinlatinletters",
        ],
    ),
    (Column::Department, &["部门", "所属部门", "单位", "科室", "班级", "department", "dept", "team", "unit"]),
    (
        Column::Kind,
        &["类别", "人员类别", "人员类型", "类型", "身份", "kind", "type", "category", "persontype"],
    ),
    (
        Column::Groups,
        &[
            "组",
            "人员组",
            "权限组",
            "门禁组",
            "分组",
            "通行组",
            "group",
            "groups",
            "accessgroup",
            "accessgroups",
        ],
    ),
    (
        Column::Card,
        &["卡号", "门禁卡号", "ic卡号", "卡片号", "物理卡号", "卡", "card", "cardnumber", "cardno", "cardid"],
    ),
    (
        Column::Facility,
        &["区位码", "站点码", "设备码", "站号", "卡区号", "facility", "facilitycode", "sitecode"],
    ),
    (
        Column::From,
        &[
            "生效日期",
            "开始日期",
            "入职日期",
            "有效期起",
            "有效期开始",
            "validfrom",
            "from",
            "startdate",
            "start",
        ],
    ),
    (
        Column::Until,
        &[
            "有效期",
            "有效期至",
            "有效期止",
            "截止日期",
            "失效日期",
            "到期日期",
            "合同到期",
            "合同到期日",
            "合同到期日期",
            "离职日期",
            "结束日期",
            "有效期结束",
            "validuntil",
            "validto",
            "until",
            "expires",
            "expiry",
            "expirydate",
            "enddate",
            "lastday",
        ],
    ),
    (Column::Status, &["状态", "人员状态", "在职状态", "status", "state"]),
    (Column::Clearance, &["安全级别", "安全等级", "密级", "clearance"]),
    (Column::Key, &["导入标识", "标识", "key", "importkey"]),
];

/// The column that a head names.
#[must_use]
pub fn of_head(head: &str) -> Option<Column> {
    // A note in brackets, as in 有效期（含当日）, is no part of the name.
    let head = head.split(['(', '（', '[', '【']).next().unwrap_or_default();
    let name: String =
        head.chars().filter(|letter| letter.is_alphanumeric()).flat_map(char::to_lowercase).collect();
    NAMES.iter().find(|(_, names)| names.contains(&name.as_str())).map(|(column, _)| *column)
}

/// What the columns of a table hold, as far as their heads say it; each thing is found once, at the left.
#[must_use]
pub fn of_table(table: &Table) -> Vec<Option<Column>> {
    let mut found = Vec::with_capacity(table.heads.len());
    for head in &table.heads {
        let column = of_head(head).filter(|column| !found.contains(&Some(*column)));
        found.push(column);
    }
    found
}

/// The words of columns as a form sends them, in order; what is none is no column's.
#[must_use]
pub fn parse<'w>(words: impl Iterator<Item = &'w str>) -> Vec<Option<Column>> {
    words.map(Column::parse).collect()
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn heads_are_known_however_they_are_written() {
        for (head, column) in [
            (" 工 号 ", Column::Number),
            ("*姓名", Column::Name),
            ("Staff No.", Column::Number),
            ("有效期（含当日）", Column::Until),
            ("合同到期", Column::Until),
            ("IC卡号", Column::Card),
            ("Access groups", Column::Groups),
        ] {
            assert_eq!(of_head(head), Some(column), "{head}");
        }
        assert_eq!(of_head("备注"), None);
        assert_eq!(of_head(""), None);
    }

    #[test]
    fn no_name_stands_for_two_columns() {
        let all: Vec<&str> = NAMES.iter().flat_map(|(_, names)| *names).copied().collect();
        assert_eq!(all.iter().collect::<HashSet<_>>().len(), all.len());
        assert!(Column::ALL.iter().all(|column| NAMES.iter().any(|(named, _)| named == column)));
    }
}
