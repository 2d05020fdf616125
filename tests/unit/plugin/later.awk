# later.awk - plugin.h as it may be in a later MINOR: each struct that tells its size has one member more.
/^#define PB_ABI_MINOR / { print "#define PB_ABI_MINOR " $3 + 1; next }
/^struct pb_(plugin|source|filter|sink|option) \{/ { grows = 1 }
/^};/ && grows { print "\tvoid *later;"; grows = 0 }
{ print }
