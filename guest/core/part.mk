# The core in its freestanding form, so that a build notices what only hosted code may use.
ALL += $(call objs,guest,$(CORE_SRC))

CORE_NET_SRC := $(CORE_SRC) $(sort $(wildcard net/*/*.c))
$(eval $(call unit_test,core_config,tests/unit/core_config.c $(CORE_NET_SRC)))
$(eval $(call fuzz_target,core_config,tests/fuzz/core_config.c $(CORE_NET_SRC)))
