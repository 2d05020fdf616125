# symbols.awk: the functions that a header declares, as a linker's dynamic list.
# awk -f symbols.awk include/patchbay/plugin.h
BEGIN { RS = "\001" }		# the whole file at once
{
	gsub(/\/\*([^*]|\*+[^*\/])*\*+\//, "")
	gsub(/(^|\n)[ \t]*#([^\n]*\\\n)*[^\n]*/, "\n")
	while (sub(/\{[^{}]*\}/, ""))	# what structs hold are no functions of ours
		;
	print "{"
	n = split($0, decl, ";")
	for (i = 1; i <= n; i++)
		if (match(decl[i], /pbt?_[a-z0-9_]+\(/))
			printf "\t%s;\n", substr(decl[i], RSTART, RLENGTH - 1)
	print "};"
}
