include nic/sources.mk

$(eval $(call static_lib,nic/libnic-guest.a,guest,$(NIC_DRIVER_SRC)))
$(eval $(call static_lib,nic/libveb-hv.a,hv,$(NIC_MODEL_SRC)))
ALL += $(BUILD)/nic/libnic-guest.a $(BUILD)/nic/libveb-hv.a

$(eval $(call unit_test,nic_rss,tests/unit/nic_rss.c nic/rss.c))

NIC_BED := tests/unit/nic_bed.c $(sort $(NIC_DRIVER_SRC) $(NIC_MODEL_SRC))
$(eval $(call unit_test,nic_model,tests/unit/nic_model.c $(NIC_BED)))
$(eval $(call unit_test,nic_driver,tests/unit/nic_driver.c $(NIC_BED)))
$(eval $(call unit_test,nic_e1000,tests/unit/nic_e1000.c $(NIC_BED)))
$(eval $(call unit_test,nic_threads,tests/unit/nic_threads.c $(NIC_BED)))

# The same stress as a unit test under sanitizers and, for long runs, as build/host/nic-stress COUNT SEED.
$(eval $(call unit_test,nic_stress,tests/unit/nic_stress.c $(NIC_BED)))
$(eval $(call host_program,host/nic-stress,tests/unit/nic_stress.c $(NIC_BED)))
ALL += $(BUILD)/host/nic-stress

$(eval $(call fuzz_target,nic_model,tests/fuzz/nic_model.c $(NIC_MODEL_SRC)))
$(eval $(call fuzz_target,nic_driver,tests/fuzz/nic_driver.c $(NIC_DRIVER_SRC)))
$(eval $(call bench,nic,tests/bench/nic.c $(NIC_BED)))
