# probe.awk - from what symbols.awk prints of a header, a C file from whose debug information abidw reads the header's ABI:
# of each function a pointer with its type, and of what is only pointed at (-v types="pb_plugin …") a pointer to it.
BEGIN {
	n = split(types, type, " ")
	for (i = 1; i <= n; i++)
		printf "extern const struct %s *const abi_%s;\nconst struct %s *const abi_%s = 0;\n",
		       type[i], type[i], type[i], type[i]
}
/^\tpb/ {
	name = $1
	sub(/;/, "", name)
	printf "extern __typeof__(&%s) const abi_%s;\n__typeof__(&%s) const abi_%s = 0;\n", name, name, name, name
}
