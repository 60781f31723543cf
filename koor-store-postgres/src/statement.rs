//! SQL with what is bound to it.

use std::borrow::Cow;

use koor_core::page::TimeRange;
use sqlx::{
    AssertSqlSafe, Encode, Postgres, SqlSafeStr as _, SqlStr, Type, postgres::PgArguments, query::Query,
};

/// Stands for NUL in a text, which `PostgreSQL`'s texts cannot hold, and before itself. It is the last code point there is,
/// which is reserved and means nothing.
const ESCAPE: char = '\u{10ffff}';

/// A text as the database can hold it.
pub(crate) fn escape(text: &str) -> Cow<'_, str> {
    if !text.contains(['\0', ESCAPE]) {
        return Cow::Borrowed(text);
    }
    let escaped = |c| match c {
        '\0' => [Some(ESCAPE), Some('0')],
        ESCAPE => [Some(ESCAPE), Some(ESCAPE)],
        c => [Some(c), None],
    };
    Cow::Owned(text.chars().flat_map(escaped).flatten().collect())
}

/// A text that [`escape`] wrote.
pub(crate) fn unescape(text: String) -> String {
    if !text.contains(ESCAPE) {
        return text;
    }
    let (mut plain, mut chars) = (String::with_capacity(text.len()), text.chars());
    while let Some(c) = chars.next() {
        match c {
            ESCAPE if chars.next() == Some('0') => plain.push('\0'),
            c => plain.push(c),
        }
    }
    plain
}

/// SQL with what is bound to it, and what it is for.
pub(crate) struct Statement {
    pub(crate) attempted: &'static str,
    sql: SqlStr,
    arguments: Result<PgArguments, sqlx::error::BoxDynError>,
}

impl Statement {
    /// A statement whose text never changes.
    pub(crate) fn new(attempted: &'static str, sql: &'static str) -> Self {
        Self { attempted, sql: sql.into_sql_str(), arguments: Ok(PgArguments::default()) }
    }

    /// Binds the next parameter.
    pub(crate) fn bind<'t>(mut self, value: impl Encode<'t, Postgres> + Type<Postgres>) -> Self {
        self.push(value);
        self
    }

    /// Binds a free text as the next parameter; [`Row::text`](crate::conn::Row::text) reads it.
    pub(crate) fn bind_text(self, text: &str) -> Self {
        self.bind(escape(text))
    }

    /// Binds the next parameter.
    pub(crate) fn push<'t>(&mut self, value: impl Encode<'t, Postgres> + Type<Postgres>) {
        if let Ok(arguments) = &mut self.arguments
            && let Err(error) = sqlx::Arguments::add(arguments, value)
        {
            self.arguments = Err(error);
        }
    }

    /// Binds the next parameter, and answers its number.
    pub(crate) fn push_numbered<'t>(&mut self, value: impl Encode<'t, Postgres> + Type<Postgres>) -> usize {
        self.push(value);
        self.arguments.as_ref().map_or(0, sqlx::Arguments::len)
    }

    /// The query for sqlx.
    pub(crate) fn query(self) -> Result<Query<'static, Postgres, PgArguments>, sqlx::Error> {
        Ok(sqlx::query_with(self.sql, self.arguments.map_err(sqlx::Error::Encode)?))
    }
}

/// A query whose conditions depend on what is asked.
pub(crate) struct Selection {
    statement: Statement,
    sql: String,
    has_conditions: bool,
}

impl Selection {
    /// A query without conditions.
    pub(crate) fn of(attempted: &'static str, select: &str) -> Self {
        Self { statement: Statement::new(attempted, ""), sql: select.to_owned(), has_conditions: false }
    }

    /// Adds a condition that binds nothing.
    pub(crate) fn and_plainly(&mut self, condition: &str) {
        self.sql.push_str(if self.has_conditions { " AND " } else { " WHERE " });
        self.sql.push_str(condition);
        self.has_conditions = true;
    }

    /// Adds a condition with a value in the place of its question mark.
    pub(crate) fn and<'t>(&mut self, condition: &str, value: impl Encode<'t, Postgres> + Type<Postgres>) {
        let number = self.statement.push_numbered(value);
        self.and_plainly(&condition.replace('?', &format!("${number}")));
    }

    /// Adds that a time lies in a range.
    pub(crate) fn and_in_range(&mut self, column: &str, range: TimeRange) {
        if let Some(from) = range.from {
            self.and(&format!("{column} >= ?"), from.millis());
        }
        if let Some(to) = range.to {
            self.and(&format!("{column} <= ?"), to.millis());
        }
    }

    /// Adds what comes after the conditions, with a value in the place of its question mark.
    pub(crate) fn then<'t>(&mut self, sql: &str, value: impl Encode<'t, Postgres> + Type<Postgres>) {
        let number = self.statement.push_numbered(value);
        self.sql.push(' ');
        self.sql.push_str(&sql.replace('?', &format!("${number}")));
    }

    /// The statement.
    pub(crate) fn statement(self) -> Statement {
        Statement { sql: AssertSqlSafe(self.sql).into_sql_str(), ..self.statement }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_text_comes_back_and_none_has_a_nul() {
        for text in ["", "a", "\0", "a\0b", "\u{10ffff}", "\u{10ffff}0", "\0\u{10ffff}\0", "\u{10ffff}\0"] {
            let escaped = escape(text).into_owned();
            assert!(!escaped.contains('\0'), "{text:?}");
            assert_eq!(unescape(escaped), text);
        }
        assert!(matches!(escape("plain"), Cow::Borrowed(_)));
    }
}
