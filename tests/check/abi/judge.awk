# judge.awk - from abidiff's report of leaf changes: does a plugin have to be rebuilt? Prints a line for each change
# and ends with 0: nothing changed, 3: something was added, 4: something else has changed. What it does not
# know counts as that. Only structs that tell their size may grow (-v sized="pb_source …"), at their end.
function added(what) { print "added: " what; additions++ }
function broken(what) { print "changed: " (within != "" ? within ": " : "") what; breaks++ }

BEGIN {
	n = split(sized, name, " ")
	for (i = 1; i <= n; i++)
		grows["struct " name[i]] = 1
}

{ sub(/^ +/, ""); sub(/ at [a-z-]+\.[hc]:[0-9]+:[0-9]+/, "") }
/^$/ || /summary:/ || /^[0-9]+ (Changed|Added|Removed) / || /^[0-9]+ (Changed|Added|Removed) variables?:$/ { next }
/^type of variable changed:$/ || /^(there are )?data member changes?:$/ || /^details were reported earlier$/ { next }
/^[0-9]+ (data member|enumerator) insertions?:$/ || /^[0-9]+ enumerator changes?:$/ || /^[0-9]+ data member changes?:$/ { next }
/^type size hasn't changed$/ { next }
/^'pbt_call::PBT_CALLS' from value / { next }	# it is how many there are

/^'(struct|enum|union) [a-z_]+' changed:$/ {
	within = $1 " " $2
	gsub(/[':]/, "", within)
	size = -1
	next
}
/^type size changed from [0-9]+ to [0-9]+/ && within in grows && $7 > $5 && size < 0 {
	size = $5
	next
}
/^'.*', at offset [0-9]+ \(in bits\)$/ && within in grows {
	at = $0
	sub(/.*offset /, "", at)
	what = $0
	sub(/, at offset.*/, "", what)
	if (size >= 0 && at + 0 >= size)
		added(within ": " what)
	else
		broken(what " lies within what the struct had before: a plugin that lacks it says the same size")
	next
}
/^'[a-z_]+::[A-Z_0-9]+' value '[0-9]+'$/ && within ~ /^enum/ { added(within ": " $1); next }
/^\[A\] / { within = ""; what = $0; gsub(/.*abi_|'.*|[{}]/, "", what); added(what); next }
/^\[D\] / { within = ""; what = $0; gsub(/.*\{abi_|\}.*/, "", what); broken(what " is gone"); next }
/^\[C\] / {
	within = ""
	sub(/^\[C\] /, "")
	gsub(/abi_/, "")
	gsub(/\* const pb/, " pb")
	broken($0)
	next
}
# What follows a [C] says the same once more.
within == "" { next }
{ broken($0) }

END { exit breaks ? 4 : additions ? 3 : 0 }
