# words.awk: what no file of ours may say or call. awk -f words.awk FILES
BEGIN {
	word["(^|[^A-Za-z])(TODO|FIXME|XXX|HACK)([^A-Za-z]|$)"] = "unfinished"
	word["[Ff]or now[^a-z]|[Pp]laceholder|[Nn]ot implemented"] = "unfinished"
	call["strcpy strcat sprintf vsprintf gets strtok alloca system popen mktemp tmpnam"] = "unsafe"
	call["atoi atol atoll atof"] = "says nothing of an error: base/parse.h"
	for (list in call) {
		n = split(list, name, " ")
		for (i = 1; i <= n; i++)
			word["(^|[^A-Za-z0-9_.>])" name[i] "[ \t]*\\("] = name[i] "(): " call[list]
	}
}
FILENAME ~ /^tests\// && /(^|[^a-z_])(sleep|usleep|nanosleep)[ \t]*\(/ { bad("a test that sleeps") }
length($0) > 0 {
	for (w in word)
		if ($0 ~ w)
			bad(word[w])
}
/[ \t]$/ { bad("a blank at the end") }
function bad(why) { printf "%s:%d: %s: %s\n", FILENAME, FNR, why, $0; failed = 1 }
END { exit failed }
