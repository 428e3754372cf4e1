# Each part of guest/ brings its own part.mk; guest/core/ is used by the others.
include guest/core/sources.mk
include $(sort $(wildcard guest/*/part.mk))
