# The core in its freestanding form, so that a build notices what only hosted code may use.
ALL += $(call objs,guest,$(CORE_SRC))
