package flightsvc

import "strings"

// keywords returns DuckDB's reserved words, which need quotes as names.
func keywords() []string {
	return strings.Fields(`
		ALL ANALYSE ANALYZE AND ANTI ANY ARRAY AS ASC ASOF ASYMMETRIC AT AUTHORIZATION BINARY BOTH BY CASE CAST
		CHECK COLLATE COLLATION COLUMN COLUMNS CONCURRENTLY CONSTRAINT CREATE CROSS DEFAULT DEFERRABLE DESC DESCRIBE
		DISTINCT DO ELSE END EXCEPT FALSE FETCH FOR FOREIGN FREEZE FROM FULL GENERATED GLOB GROUP HAVING ILIKE IN
		INITIALLY INNER INTERSECT INTO IS ISNULL JOIN LAMBDA LATERAL LEADING LEFT LIKE LIMIT MAP NATURAL NOT NOTNULL
		NULL OFFSET ON ONLY OR ORDER OUTER OVERLAPS PIVOT PIVOT_LONGER PIVOT_WIDER PLACING POSITIONAL PRIMARY
		QUALIFY REFERENCES RETURNING RIGHT SELECT SEMI SHOW SIMILAR SOME STRUCT SUMMARIZE SYMMETRIC TABLE
		TABLESAMPLE THEN TO TRAILING TRUE TRY_CAST UNION UNIQUE UNPACK UNPIVOT USING VARIADIC VERBOSE WHEN WHERE
		WINDOW WITH
	`)
}

// numericFunctions returns DuckDB's functions of numbers.
func numericFunctions() []string {
	return strings.Fields(`
		abs acos acosh add asin asinh atan atan2 atanh bit_count cbrt ceil ceiling cos cosh cot degrees even exp
		factorial fdiv floor fmod gamma gcd greatest isfinite isinf isnan lcm least lgamma ln log log10 log2 mod
		multiply nextafter pi pow power radians random round setseed sign signbit sin sinh sqrt subtract tan tanh
		trunc xor
	`)
}

// stringFunctions returns DuckDB's functions of text.
func stringFunctions() []string {
	return strings.Fields(`
		ascii bar base64 bin bit_length chr concat concat_ws contains damerau_levenshtein decode editdist3 encode
		ends_with format from_base64 from_hex hamming hash hex instr jaccard jaro_similarity jaro_winkler_similarity
		lcase left left_grapheme length length_grapheme levenshtein like_escape lower lpad ltrim md5 nfc_normalize
		not_like_escape ord parse_dirname parse_filename parse_path position prefix printf regexp_escape
		regexp_extract regexp_extract_all regexp_full_match regexp_matches regexp_replace regexp_split_to_array
		repeat replace reverse right rpad rtrim sha1 sha256 split split_part starts_with strip_accents strlen strpos
		substr substring suffix to_base64 to_hex translate trim ucase unhex unicode upper url_decode url_encode
	`)
}

// systemFunctions returns DuckDB's functions of the session.
func systemFunctions() []string {
	return strings.Fields(`
		coalesce current_catalog current_database current_schema current_schemas current_user error hash nullif
		session_user txid_current typeof user uuid uuidv4 uuidv7 version
	`)
}

// datetimeFunctions returns DuckDB's functions of dates and times.
func datetimeFunctions() []string {
	return strings.Fields(`
		age century current_date current_localtimestamp date_add date_diff date_part date_sub date_trunc datediff
		datepart datesub datetrunc day dayname dayofmonth dayofweek dayofyear decade epoch epoch_ms epoch_ns
		epoch_us era extract get_current_time get_current_timestamp hour isodow isoyear julian last_day make_date
		make_time make_timestamp make_timestamptz microsecond millennium millisecond minute month monthname
		nanosecond now quarter second strftime strptime time_bucket timezone timezone_hour timezone_minute to_days
		to_hours to_microseconds to_milliseconds to_minutes to_months to_seconds to_timestamp to_weeks to_years
		today transaction_timestamp try_strptime week weekday weekofyear year yearweek
	`)
}
