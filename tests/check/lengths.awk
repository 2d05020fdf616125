# lengths.awk: no function over 60 lines, no file over 600. awk -f lengths.awk FILES
# A function reaches from the first line of its head to the brace in column one.
FNR == 1 { files++; head = 0 }
{ lines[FILENAME] = FNR }
/^$|^[#}\/]|;$|\*\/$/ { if (!inside) head = 0 }
/^[a-zA-Z_]/ && !/;$/ && !/[:=]$/ && !inside && !head { head = FNR; name = $0 }
/^\{/ { inside = 1; if (!head) head = FNR - 1 }
/^\}/ && inside {
	n = FNR - head + 1
	count[n]++
	functions++
	if (n > 60)
		bad(FILENAME ":" head ": " n " lines in a function: " name)
	inside = head = 0
}
function bad(why) { print why; failed = 1 }
# The smallest length that `share` of all functions do not exceed.
function quantile(share,	i, seen) {
	for (i = 1; i < 10000; i++)
		if ((seen += count[i]) >= share * functions)
			return i
}
END {
	for (f in lines)
		if (lines[f] > 600)
			bad(f ": " lines[f] " lines in a file")
	if (functions)
		printf "%d functions in %d files: lines median %d, p90 %d\n", functions, files,
		       quantile(0.5), quantile(0.9)
	exit failed
}
