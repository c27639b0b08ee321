//! The table of functions: names, arguments, what they are for. `ddf functions` prints it, the
//! parser looks names up in it and the type check reads the argument letters.
//!
//! Letters of arguments: `t` text (or integers, for their digits), `y` bytes (or a UUID or text, for its bytes), `x` anything as text, `i` int64, `f` any number as float64,
//! `n` any number as it is, `d` date or timestamp, `b` bool, `v` anything as it is, `a` anything, all
//! `a` united to one type; `+` repeats the last one. Letters of results: the same, `=` the (united) type of the
//! arguments, and `z` no type of its own, that of whatever it stands beside.

use arrow::datatypes::{DataType, TimeUnit};
use serde::{Deserialize, Serialize};

use crate::error::{Error, Result, did_you_mean};
use crate::kernel::carry::{carrier, exact_carrier};
use crate::kernel::types;

/// One row of the table of functions.
#[derive(Debug, Clone, Copy)]
pub struct FunctionInfo {
    /// Which.
    pub func: Func,
    /// Its name.
    pub name: &'static str,
    /// Other names of it.
    pub aliases: &'static [&'static str],
    pub(super) params: &'static str,
    pub(super) least: usize,
    pub(super) result: char,
    /// How it is called.
    pub signature: &'static str,
    /// What it does, in one line.
    pub description: &'static str,
    /// A call and its result.
    pub example: &'static str,
}

macro_rules! functions {
    ($($func:ident $name:literal [$($alias:literal)*] $params:literal $least:literal $result:literal
       $signature:literal $description:literal $example:literal;)*) => {
        /// A function of the expression language; `functions` describes them.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
        pub enum Func { $(#[doc = $description] $func,)* }
        const TABLE: &[FunctionInfo] = &[$(FunctionInfo {
            func: Func::$func, name: $name, aliases: &[$($alias),*], params: $params, least: $least,
            result: $result, signature: $signature, description: $description, example: $example,
        },)*];
    };
}

functions! {
    Coalesce "coalesce" [] "a+" 1 '=' "coalesce(a, b, …)" "The first argument that is not null." "coalesce(NULL, 2) = 2";
    IfNull "ifnull" ["nvl"] "aa" 2 '=' "ifnull(a, b)" "b where a is null." "ifnull(NULL, 2) = 2";
    NullIf "nullif" [] "aa" 2 '=' "nullif(a, b)" "Null where a equals b, else a." "nullif(3, 0) = 3";
    If "if" ["iff"] "baa" 3 '=' "if(condition, a, b)" "a where the condition is true, else b." "if(2 > 1, 'x', 'y') = 'x'";
    Greatest "greatest" [] "a+" 1 '=' "greatest(a, b, …)" "The greatest argument, nulls ignored." "greatest(1, 3, 2) = 3";
    Least "least" [] "a+" 1 '=' "least(a, b, …)" "The least argument, nulls ignored." "least(1, 3, 2) = 1";
    Fail "error" [] "t" 1 'z' "error(message)" "Fails with that message where it is evaluated." "if(false, error('no'), true)";
    Lower "lower" ["lcase"] "t" 1 't' "lower(s)" "In small letters." "lower('JFK') = 'jfk'";
    Upper "upper" ["ucase"] "t" 1 't' "upper(s)" "In capital letters." "upper('jfk') = 'JFK'";
    Length "length" ["len" "char_length" "character_length"] "t" 1 'i' "length(s)" "The number of characters." "length('été') = 3";
    Substr "substr" ["substring"] "tii" 2 't' "substr(s, start[, count])" "Characters from a position, which counts from 1, or from -1 at the end." "substr('hello', 2, 3) = 'ell'";
    Left "left" [] "ti" 2 't' "left(s, n)" "The first n characters; all but the last -n where n is negative." "left('hello', 2) = 'he'";
    Right "right" [] "ti" 2 't' "right(s, n)" "The last n characters; all but the first -n where n is negative." "right('hello', 2) = 'lo'";
    Trim "trim" ["btrim"] "tt" 1 't' "trim(s[, characters])" "Without white space, or these characters, at both ends." "trim(' a ') = 'a'";
    Ltrim "ltrim" [] "tt" 1 't' "ltrim(s[, characters])" "Without white space, or these characters, at the start." "ltrim(' a') = 'a'";
    Rtrim "rtrim" [] "tt" 1 't' "rtrim(s[, characters])" "Without white space, or these characters, at the end." "rtrim('a ') = 'a'";
    Replace "replace" [] "ttt" 3 't' "replace(s, from, to)" "With all occurrences of a text replaced." "replace('a-b', '-', '+') = 'a+b'";
    SplitPart "split_part" [] "tti" 3 't' "split_part(s, separator, n)" "The n-th part, from 1 or, negative, from the end; empty where there is none." "split_part('a-b', '-', 2) = 'b'";
    Concat "concat" [] "x+" 1 't' "concat(a, b, …)" "All as one text, nulls ignored." "concat('a', 1) = 'a1'";
    ConcatWs "concat_ws" [] "tx+" 2 't' "concat_ws(separator, a, b, …)" "All as one text with a separator between, nulls ignored." "concat_ws('-', 'a', 'b') = 'a-b'";
    StartsWith "starts_with" ["prefix"] "tt" 2 'b' "starts_with(s, t)" "Whether s starts with t." "starts_with('hello', 'he')";
    EndsWith "ends_with" ["suffix"] "tt" 2 'b' "ends_with(s, t)" "Whether s ends with t." "ends_with('hello', 'lo')";
    Contains "contains" [] "tt" 2 'b' "contains(s, t)" "Whether t occurs in s." "contains('hello', 'ell')";
    Strpos "strpos" ["instr" "position"] "tt" 2 'i' "strpos(s, t)" "The position of t in s in characters, from 1; 0 where it is not there." "strpos('hello', 'l') = 3";
    Reverse "reverse" [] "t" 1 't' "reverse(s)" "The characters in reverse order." "reverse('abc') = 'cba'";
    Repeat "repeat" [] "ti" 2 't' "repeat(s, n)" "The text n times." "repeat('ab', 2) = 'abab'";
    Lpad "lpad" [] "tit" 2 't' "lpad(s, n[, fill])" "Filled at the start, or cut, to n characters." "lpad('7', 3, '0') = '007'";
    Rpad "rpad" [] "tit" 2 't' "rpad(s, n[, fill])" "Filled at the end, or cut, to n characters." "rpad('7', 3, '.') = '7..'";
    Translate "translate" [] "ttt" 3 't' "translate(s, from, to)" "With each character of from replaced by the one at its place in to, or left out where there is none." "translate('abcab', 'ab', 'x') = 'xcx'";
    Ascii "ascii" [] "t" 1 'i' "ascii(s)" "The code of the first character; 0 of the empty text." "ascii('A') = 65";
    Unicode "unicode" ["ord"] "t" 1 'i' "unicode(s)" "The code of the first character; -1 of the empty text." "unicode('ü') = 252";
    Chr "chr" [] "i" 1 't' "chr(n)" "The character of that code." "chr(65) = 'A'";
    Md5 "md5" [] "t" 1 't' "md5(s)" "The MD5 digest in hexadecimal digits." "md5('a') = '0cc175b9c0f1b6a831c399e269772661'";
    Sha256 "sha256" [] "t" 1 't' "sha256(s)" "The SHA-256 digest in hexadecimal digits." "left(sha256('a'), 8) = 'ca978112'";
    StrLen "strlen" [] "t" 1 'i' "strlen(s)" "The number of bytes." "strlen('été') = 5";
    OctetLength "octet_length" [] "y" 1 'i' "octet_length(b)" "The number of bytes." "octet_length('été') = 5";
    Decode "decode" [] "y" 1 't' "decode(b)" "The text whose UTF-8 bytes they are." "decode(unhex('C3A9')) = 'é'";
    Encode "encode" [] "y" 1 'y' "encode(s)" "The UTF-8 bytes of a text." "hex(encode('é')) = 'C3A9'";
    Hex "hex" ["to_hex"] "y" 1 't' "hex(b)" "Bytes, or those of a text, in hexadecimal digits." "hex('abc') = '616263'";
    Unhex "unhex" ["from_hex"] "t" 1 'y' "unhex(s)" "The bytes of hexadecimal digits." "unhex('616263') = encode('abc')";
    Base64 "base64" ["to_base64"] "y" 1 't' "base64(b)" "Bytes, or those of a text, in base64." "base64('abc') = 'YWJj'";
    FromBase64 "from_base64" [] "t" 1 'y' "from_base64(s)" "The bytes of a text in base64." "from_base64('YWJj') = encode('abc')";
    RegexpLike "regexp_like" ["regexp_matches"] "tt" 2 'b' "regexp_like(s, regex)" "Whether the regular expression matches somewhere; also s ~ regex." "regexp_like('a12', '[0-9]+')";
    RegexpExtract "regexp_extract" [] "tti" 2 't' "regexp_extract(s, regex[, group])" "The first match, or that group of it; null where there is none." "regexp_extract('a12', '[0-9]+') = '12'";
    RegexpReplace "regexp_replace" [] "tttt" 3 't' "regexp_replace(s, regex, replacement[, flags])" "The first match, or with flag g all, replaced; \\1 stands for a group, flag i ignores case." "regexp_replace('a12', '[0-9]', '#', 'g') = 'a##'";
    Abs "abs" [] "n" 1 '=' "abs(x)" "Without the sign." "abs(-3) = 3";
    Round "round" [] "ni" 1 '=' "round(x[, digits])" "Rounded, half away from zero." "round(2.5) = 3";
    Floor "floor" [] "n" 1 '=' "floor(x)" "The greatest whole number that is not above." "floor(-1.5) = -2";
    Ceil "ceil" ["ceiling"] "n" 1 '=' "ceil(x)" "The least whole number that is not below." "ceil(1.2) = 2";
    Trunc "trunc" [] "ni" 1 '=' "trunc(x[, digits])" "Cut off behind so many digits, towards zero." "trunc(-1.7) = -1";
    Sqrt "sqrt" [] "f" 1 'f' "sqrt(x)" "The square root." "sqrt(9) = 3";
    Ln "ln" [] "f" 1 'f' "ln(x)" "The natural logarithm." "ln(1) = 0";
    Log10 "log10" ["log"] "f" 1 'f' "log10(x)" "The logarithm to base 10; log(b, x) to base b." "log10(100) = 2";
    Log2 "log2" [] "f" 1 'f' "log2(x)" "The logarithm to base 2." "log2(8) = 3";
    Exp "exp" [] "f" 1 'f' "exp(x)" "e to the power of x." "exp(0) = 1";
    Cbrt "cbrt" [] "f" 1 'f' "cbrt(x)" "The cube root." "cbrt(27) = 3";
    Degrees "degrees" [] "f" 1 'f' "degrees(x)" "An angle in degrees." "degrees(pi()) = 180";
    Radians "radians" [] "f" 1 'f' "radians(x)" "An angle in radians." "radians(180) = pi()";
    Sinh "sinh" [] "f" 1 'f' "sinh(x)" "The hyperbolic sine." "sinh(0) = 0";
    Cosh "cosh" [] "f" 1 'f' "cosh(x)" "The hyperbolic cosine." "cosh(0) = 1";
    Tanh "tanh" [] "f" 1 'f' "tanh(x)" "The hyperbolic tangent." "tanh(0) = 0";
    Cot "cot" [] "f" 1 'f' "cot(x)" "The cotangent." "round(cot(pi() / 4), 9) = 1";
    Pow "pow" ["power"] "ff" 2 'f' "pow(x, y)" "x to the power of y; also x ^ y and x ** y." "pow(2, 3) = 8";
    Sign "sign" [] "n" 1 'i' "sign(x)" "-1, 0 or 1." "sign(-3) = -1";
    BitAnd "bitwise_and" [] "ii" 2 'i' "bitwise_and(a, b)" "The bits that both have; also a & b." "6 & 3 = 2";
    BitOr "bitwise_or" [] "ii" 2 'i' "bitwise_or(a, b)" "The bits that one of them has; also a | b." "6 | 3 = 7";
    BitXor "xor" ["bitwise_xor"] "ii" 2 'i' "xor(a, b)" "The bits that only one of them has." "xor(6, 3) = 5";
    BitNot "bitwise_not" [] "i" 1 'i' "bitwise_not(a)" "The bits that it does not have; also ~a." "~5 = -6";
    ShiftLeft "shift_left" [] "ii" 2 'i' "shift_left(a, n)" "The bits moved up by n places; also a << n." "1 << 3 = 8";
    ShiftRight "shift_right" [] "ii" 2 'i' "shift_right(a, n)" "The bits moved down by n places; also a >> n." "-8 >> 1 = -4";
    BitCount "bit_count" [] "i" 1 'i' "bit_count(a)" "The number of bits that are set." "bit_count(7) = 3";
    Gcd "gcd" ["greatest_common_divisor"] "ii" 2 'i' "gcd(a, b)" "The greatest common divisor." "gcd(12, 18) = 6";
    Lcm "lcm" ["least_common_multiple"] "ii" 2 'i' "lcm(a, b)" "The least common multiple." "lcm(4, 6) = 12";
    IsNan "is_nan" ["isnan"] "f" 1 'b' "is_nan(x)" "Whether it is NaN." "NOT is_nan(1)";
    IsFinite "is_finite" ["isfinite"] "f" 1 'b' "is_finite(x)" "Whether it is neither NaN nor infinite." "is_finite(1)";
    Pi "pi" [] "" 0 'f' "pi()" "The number π." "round(pi(), 2) = 3.14";
    Sin "sin" [] "f" 1 'f' "sin(x)" "The sine." "sin(0) = 0";
    Cos "cos" [] "f" 1 'f' "cos(x)" "The cosine." "cos(0) = 1";
    Tan "tan" [] "f" 1 'f' "tan(x)" "The tangent." "tan(0) = 0";
    Asin "asin" [] "f" 1 'f' "asin(x)" "The inverse of the sine." "asin(0) = 0";
    Acos "acos" [] "f" 1 'f' "acos(x)" "The inverse of the cosine." "acos(1) = 0";
    Atan "atan" [] "f" 1 'f' "atan(x)" "The inverse of the tangent." "atan(0) = 0";
    Atan2 "atan2" [] "ff" 2 'f' "atan2(y, x)" "The angle of the point (x, y)." "atan2(0, 1) = 0";
    Year "year" [] "d" 1 'i' "year(x)" "The year." "year(DATE '2013-04-05') = 2013";
    Quarter "quarter" [] "d" 1 'i' "quarter(x)" "The quarter, 1 to 4." "quarter(DATE '2013-04-05') = 2";
    Month "month" [] "d" 1 'i' "month(x)" "The month, 1 to 12." "month(DATE '2013-04-05') = 4";
    Week "week" ["weekofyear"] "d" 1 'i' "week(x)" "The week by ISO 8601." "week(DATE '2013-01-07') = 2";
    Day "day" ["dayofmonth"] "d" 1 'i' "day(x)" "The day of the month." "day(DATE '2013-04-05') = 5";
    DayOfYear "dayofyear" ["doy"] "d" 1 'i' "dayofyear(x)" "The day of the year, from 1." "dayofyear(DATE '2013-02-01') = 32";
    DayOfWeek "dayofweek" ["weekday"] "d" 1 'i' "dayofweek(x)" "The day of the week, Monday = 0." "dayofweek(DATE '2013-04-05') = 4";
    IsoDow "isodow" [] "d" 1 'i' "isodow(x)" "The day of the week, Monday = 1, Sunday = 7." "isodow(DATE '2013-04-05') = 5";
    Dow "dow" [] "d" 1 'i' "dow(x)" "The day of the week as SQL's extract(dow …) has it, Sunday = 0." "dow(DATE '2013-04-05') = 5";
    Hour "hour" [] "d" 1 'i' "hour(x)" "The hour." "hour(TIMESTAMP '2013-04-05 06:07:08') = 6";
    Minute "minute" [] "d" 1 'i' "minute(x)" "The minute." "minute(TIMESTAMP '2013-04-05 06:07:08') = 7";
    Second "second" [] "d" 1 'i' "second(x)" "The second." "second(TIMESTAMP '2013-04-05 06:07:08') = 8";
    Millisecond "millisecond" [] "d" 1 'i' "millisecond(x)" "The milliseconds since the minute began." "millisecond(TIMESTAMP '2013-04-05 06:07:08.123456') = 8123";
    Microsecond "microsecond" [] "d" 1 'i' "microsecond(x)" "The microseconds since the minute began." "microsecond(TIMESTAMP '2013-04-05 06:07:08.123456') = 8123456";
    IsoYear "isoyear" [] "d" 1 'i' "isoyear(x)" "The year by ISO 8601, whose weeks are whole." "isoyear(DATE '2012-12-31') = 2013";
    YearWeek "yearweek" [] "d" 1 'i' "yearweek(x)" "Year and week by ISO 8601 as one number." "yearweek(DATE '2012-12-31') = 201301";
    Decade "decade" [] "d" 1 'i' "decade(x)" "The year without its last digit." "decade(DATE '2013-04-05') = 201";
    Century "century" [] "d" 1 'i' "century(x)" "The century; the 21st began with 2001." "century(DATE '2000-12-31') = 20";
    Millennium "millennium" [] "d" 1 'i' "millennium(x)" "The millennium; the third began with 2001." "millennium(DATE '2013-04-05') = 3";
    DaysInMonth "days_in_month" [] "d" 1 'i' "days_in_month(x)" "The number of days of the month." "days_in_month(DATE '2012-02-05') = 29";
    LastDay "last_day" [] "d" 1 'd' "last_day(x)" "The last day of the month." "last_day(DATE '2013-02-05') = DATE '2013-02-28'";
    DayName "dayname" [] "d" 1 't' "dayname(x)" "The English name of the day." "dayname(DATE '2013-04-05') = 'Friday'";
    MonthName "monthname" [] "d" 1 't' "monthname(x)" "The English name of the month." "monthname(DATE '2013-04-05') = 'April'";
    DateTrunc "date_trunc" ["datetrunc"] "tdt" 2 '=' "date_trunc(unit, x[, zone])" "The start of the year, quarter, month, week, day, hour, minute, second and so on, of a moment by the clocks of a time zone." "date_trunc('month', DATE '2013-04-05') = DATE '2013-04-01'";
    TimeBucket "time_bucket" ["date_bin"] "vddt" 2 '=' "time_bucket(width, x[, origin[, zone]])" "The start of the bucket of that width, as '15 minutes'; buckets begin at an origin, else Monday 2000-01-03, those of months 2000-01-01." "time_bucket('15 minutes', TIMESTAMP '2013-04-05 06:07:08') = TIMESTAMP '2013-04-05 06:00:00'";
    DateDiff "date_diff" ["datediff"] "tdd" 3 'i' "date_diff(unit, a, b)" "How many borders of that unit lie between a and b." "date_diff('month', DATE '2013-01-31', DATE '2013-02-01') = 1";
    DateSub "date_sub" ["datesub"] "tdd" 3 'i' "date_sub(unit, a, b)" "How many whole units lie between a and b." "date_sub('month', DATE '2013-01-31', DATE '2013-02-27') = 0";
    MakeDate "make_date" [] "iii" 3 'd' "make_date(year, month, day)" "The date." "make_date(2013, 4, 5) = DATE '2013-04-05'";
    MakeTimestamp "make_timestamp" [] "iiiiif" 6 's' "make_timestamp(year, month, day, hour, minute, second)" "The timestamp." "make_timestamp(2013, 4, 5, 6, 7, 8) = TIMESTAMP '2013-04-05 06:07:08'";
    Strptime "strptime" [] "tt" 2 's' "strptime(s, format)" "The timestamp that a text means by a format; with %z or %Z a moment." "strptime('05.04.2013', '%d.%m.%Y') = TIMESTAMP '2013-04-05'";
    TryStrptime "try_strptime" [] "tt" 2 's' "try_strptime(s, format)" "The same; null where the text does not have the format." "try_strptime('5 April', '%d.%m.%Y') IS NULL";
    Strftime "strftime" [] "dtt" 2 't' "strftime(x, format[, zone])" "Text by a format, of a moment by the clocks of a time zone." "strftime(DATE '2013-04-05', '%d.%m.%Y') = '05.04.2013'";
    Epoch "epoch" [] "d" 1 'f' "epoch(x)" "Seconds since 1970." "epoch(DATE '1970-01-02') = 86400";
    EpochMs "epoch_ms" [] "d" 1 'i' "epoch_ms(x)" "Milliseconds since 1970." "epoch_ms(DATE '1970-01-02') = 86400000";
    EpochUs "epoch_us" [] "d" 1 'i' "epoch_us(x)" "Microseconds since 1970." "epoch_us(DATE '1970-01-02') = 86400000000";
    EpochNs "epoch_ns" [] "d" 1 'i' "epoch_ns(x)" "Nanoseconds since 1970." "epoch_ns(DATE '1970-01-02') = 86400000000000";
    AtTimeZone "at_time_zone" [] "dt" 2 's' "at_time_zone(x, zone)" "The clock of a time zone at a moment; of a clock without zone, its moment. Also x AT TIME ZONE zone." "at_time_zone(at_time_zone(TIMESTAMP '2013-07-05 14:00:00', 'Europe/Berlin'), 'UTC') = TIMESTAMP '2013-07-05 12:00:00'";
    Zoned "zoned" [] "dt" 2 't' "zoned(x, zone)" "A moment as text, by the clock of a time zone and with its offset." "zoned(at_time_zone(TIMESTAMP '2013-07-05 14:00:00', 'Europe/Berlin'), 'Europe/Berlin') = '2013-07-05T14:00:00+02:00'";
    ToTimestamp "to_timestamp" [] "f" 1 's' "to_timestamp(seconds)" "The timestamp so many seconds after 1970." "to_timestamp(86400) = TIMESTAMP '1970-01-02'";
    Sampled "__sampled" [] "iif" 3 'b' "" "Whether a row is one of a sample: its number, the seed, percent of the rows." "";
    Bucket "__bucket" [] "iiddt" 3 '=' "" "The start of the bucket: months and microseconds of it, the moment, the origin, the zone." "";
    Ordered "__ordered" [] "vtv+" 2 '=' "" "The argument of an aggregate, and the order of its rows." "";
    Pack "__pack" [] "tv+" 2 't' "" "A row as text that sorts as rows are ordered." "";
    Pair "__pair" [] "ff" 2 'p' "" "Two numbers as one value, for aggregates of pairs." "";
    Carry "__carry" [] "v" 1 '=' "" "A value of a rarer type as one of a common type that sorts like it." "";
    CarryExactly "__carry_exactly" [] "v" 1 '=' "" "The same, from which the value comes back as it was." "";
    Carried "__carried" [] "vt" 2 '=' "" "The value that another carries." "";
    ReadAs "__read_as" [] "tt" 2 '=' "" "The value that a text is beside values of that type." "";
    Short16 "__short16" [] "f" 1 'f' "" "The float that prints as one of 16 bits does." "";
    Short32 "__short32" [] "f" 1 'f' "" "The float that prints as one of 32 bits does." "";
    Nearest16 "__nearest16" [] "f" 1 'f' "" "The nearest float of 16 bits." "";
    Nearest32 "__nearest32" [] "f" 1 'f' "" "The nearest float of 32 bits." "";
    Unpack "__unpack" [] "ti" 2 't' "" "A value of such a row." "";
}

/// What other systems call something, and how it is written here.
const FOREIGN: &[(&str, &str)] = &[
    ("isnull", "x IS NULL, or ifnull(x, y)"),
    (
        "to_date",
        "cast(x AS date), or strptime(x, '%d.%m.%Y') for another format",
    ),
    ("to_char", "strftime(x, '%Y-%m-%d')"),
    ("to_number", "cast(x AS double)"),
    ("convert", "cast(x AS type)"),
    ("charindex", "strpos(s, t)"),
    ("locate", "strpos(s, t)"),
    ("datepart", "date_part('year', x)"),
    ("dateadd", "x + INTERVAL '1 day'"),
    ("date_add", "x + INTERVAL '1 day'"),
    ("age", "date_diff('day', a, b)"),
    ("approx_count_distinct", "count(DISTINCT x): it is exact"),
    ("approx_quantile", "quantile(x, 0.95): it is exact"),
    ("try", "try_cast(x AS type), or nullif(x, 0) under a division"),
    ("nvl2", "if(x IS NOT NULL, a, b)"),
];

/// The functions at the end of the table that plans use and nobody writes.
const HIDDEN: usize = 14;

/// All functions, in the order of the manual.
pub fn functions() -> &'static [FunctionInfo] {
    &TABLE[..TABLE.len() - HIDDEN]
}

impl Func {
    /// Its row of the table.
    pub fn info(self) -> &'static FunctionInfo {
        &TABLE[self as usize]
    }

    /// Whether all its arguments are united to one type.
    pub(super) fn unites_all(self) -> bool {
        self.info().params == "a+"
    }

    /// The name in calls.
    pub(super) fn call_name(self) -> &'static str {
        self.info().name
    }

    /// The function of that name, in any case.
    ///
    /// # Errors
    /// There is none; suggests a similar one.
    pub fn find(name: &str) -> Result<Func> {
        let lower = name.to_lowercase();
        let hit = functions()
            .iter()
            .find(|f| f.name == lower || f.aliases.contains(&lower.as_str()));
        if let Some(f) = hit {
            return Ok(f.func);
        }
        let error = Error::query(format!("no function \"{name}\""));
        if ["random", "rand"].contains(&lower.as_str()) {
            return Err(error
                .help("answers must be reproducible; TABLESAMPLE … REPEATABLE (seed) takes rows by chance"));
        }
        if let Some((_, ours)) = FOREIGN.iter().find(|(theirs, _)| *theirs == lower) {
            return Err(error.help(format!("write {ours}")));
        }
        let names = functions()
            .iter()
            .flat_map(|f| std::iter::once(f.name).chain(f.aliases.iter().copied()));
        let names = names.chain(super::parse::AGGREGATES.iter().map(|(n, _)| *n));
        let names = names.chain(super::aggregates::COMPOSED.iter().copied());
        Err(match did_you_mean(&lower, names) {
            Some(n) => error.help(format!("did you mean {n}?")),
            None => error.help("`ddf functions` lists them all"),
        })
    }

    /// Whether it can fail for some values of the right types.
    pub(super) fn can_fail(self) -> bool {
        use Func::*;
        matches!(
            self,
            Fail | Pack
                | Abs
                | Round
                | Ceil
                | Floor
                | MakeDate
                | MakeTimestamp
                | Strptime
                | TryStrptime
                | Strftime
                | ToTimestamp
                | Repeat
                | Chr
                | Trunc
                | ShiftLeft
                | ShiftRight
                | Gcd
                | Lcm
                | DateSub
                | LastDay
                | Lpad
                | Rpad
                | RegexpLike
                | RegexpExtract
                | RegexpReplace
                | DateTrunc
                | TimeBucket
                | Bucket
                | DateDiff
                | AtTimeZone
                | Zoned
                | SplitPart
                | EpochUs
                | EpochNs
                | Carry
                | CarryExactly
                | Carried
                | ReadAs
                | Decode
                | Unhex
                | FromBase64
        )
    }

    /// The types that the arguments must be cast to, and the type of the result.
    ///
    /// # Errors
    /// The wrong number of arguments, or an argument of a type that does not do.
    pub(super) fn check(
        self,
        given: &[DataType],
        literal_text: &[bool],
    ) -> Result<(Vec<DataType>, DataType)> {
        let info = self.info();
        let letters: Vec<char> = info.params.chars().filter(|c| *c != '+').collect();
        let many = info.params.ends_with('+');
        if given.len() < info.least || (!many && given.len() > letters.len()) {
            return Err(
                Error::query(format!("{} with {} arguments", info.name, given.len()))
                    .help(format!("it is called {}", info.signature)),
            );
        }
        let letter = |i: usize| letters[i.min(letters.len() - 1)];
        let mut united = DataType::Null;
        for (i, t) in given.iter().enumerate().filter(|(i, _)| letter(*i) == 'a') {
            let next = super::bind::common(&united, t);
            united =
                next.ok_or_else(|| info.misfit(i, t, &format!("{} like the others", types::name(&united))))?;
        }
        let mut want = Vec::with_capacity(given.len());
        for (i, t) in given.iter().enumerate() {
            want.push(info.cast_to(i, letter(i), t, &united, literal_text[i])?);
        }
        let nanos = |t: &DataType| matches!(t, DataType::Timestamp(TimeUnit::Nanosecond, _));
        if self == Func::Zoned {
            want[0] = match nanos(&want[0]) {
                true => types::timestamp_nanos(true),
                false => types::timestamp_utc(),
            };
        }
        let result = match info.result {
            't' => types::TEXT,
            'p' => super::pair::PAIR,
            'i' => DataType::Int64,
            'f' => DataType::Float64,
            'b' => DataType::Boolean,
            'z' => DataType::Null,
            'd' => DataType::Date32,
            'y' => DataType::Binary,
            's' if self == Func::AtTimeZone && nanos(&want[0]) => {
                types::timestamp_nanos(!matches!(want[0], DataType::Timestamp(_, Some(_))))
            }
            's' if self == Func::AtTimeZone && !matches!(want[0], DataType::Timestamp(_, Some(_))) => {
                want[0] = types::timestamp();
                types::timestamp_utc()
            }
            's' => types::timestamp(),
            _ if self == Func::DateTrunc => want[1].clone(),
            _ if self == Func::Bucket => want[2].clone(),
            _ if self == Func::Carry => carrier(&want[0]).unwrap_or_else(|| want[0].clone()),
            _ if self == Func::CarryExactly => exact_carrier(&want[0]).unwrap_or_else(|| want[0].clone()),
            _ if letters.contains(&'a') => united,
            _ => want[0].clone(),
        };
        Ok((want, result))
    }
}

/// Whether values of the type are digits and perhaps a sign, so that a text function can only mean these: of a column
/// of codes that all look like integers.
pub(super) fn is_digits(ty: &DataType) -> bool {
    matches!(ty, DataType::Int64 | DataType::Decimal128(_, 0))
}

impl FunctionInfo {
    fn misfit(&self, i: usize, given: &DataType, wanted: &str) -> Error {
        let what = format!(
            "argument {} of {} is {}, not {wanted}",
            i + 1,
            self.name,
            types::name(given)
        );
        let e = Error::query(what).of_types();
        e.help(format!(
            "it is called {}; cast(x AS type) changes a type",
            self.signature
        ))
    }

    /// Whether it has a meaning for that time of day or span.
    fn takes_span(&self, t: &DataType) -> bool {
        use Func::*;
        match t {
            DataType::Time64(_) => matches!(
                self.func,
                Hour | Minute | Second | Millisecond | Microsecond | Epoch | EpochMs | EpochUs | EpochNs
            ),
            DataType::Duration(_) | DataType::Interval(_) => {
                matches!(self.func, Epoch | EpochMs | EpochUs | EpochNs)
            }
            _ => false,
        }
    }

    fn cast_to(
        &self,
        i: usize,
        letter: char,
        t: &DataType,
        united: &DataType,
        literal: bool,
    ) -> Result<DataType> {
        let (fits, to, wanted) = match letter {
            't' => (
                matches!(t, DataType::Binary) || *t == types::TEXT || is_digits(t),
                types::TEXT,
                "text",
            ),
            'y' => {
                let bytes = matches!(t, DataType::Binary) || *t == types::UUID || *t == types::TEXT;
                let to = if bytes { t.clone() } else { DataType::Binary };
                (bytes, to, "bytes or text")
            }
            'x' => (true, types::TEXT, "text"),
            'i' => (*t == DataType::Int64, DataType::Int64, "int64"),
            'f' => (types::is_numeric(t), DataType::Float64, "a number"),
            'n' => (types::is_numeric(t), t.clone(), "a number"),
            'v' => return Ok(t.clone()),
            'b' => (*t == DataType::Boolean, DataType::Boolean, "bool"),
            'd' if literal => (true, types::timestamp(), ""),
            'd' => (
                matches!(t, DataType::Date32 | DataType::Timestamp(..)) || self.takes_span(t),
                t.clone(),
                "a date or timestamp",
            ),
            _ => (true, united.clone(), ""),
        };
        match (fits, t, letter) {
            (_, DataType::Null, 'd') => Ok(types::timestamp()),
            (_, DataType::Null, 'n') => Ok(DataType::Int64),
            (_, DataType::Null, _) | (true, ..) => Ok(to),
            _ => Err(self.misfit(i, t, wanted)),
        }
    }
}
