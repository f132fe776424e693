# octet - GNU make.  `make help` lists the targets.
# Variables:  CC, CFLAGS, LDFLAGS, BUILD (folder of the results), PREFIX and DESTDIR (of install), V=1 (shows the commands),
#             OPENBLAS=1 (bench only: compare with OpenBLAS).

BUILD    ?= build
PREFIX   ?= /usr/local
OPT      ?= -O2
WARN     := -Wall -Wextra -Wshadow -Wconversion -Wstrict-prototypes -Wmissing-prototypes
# -ffp-contract=off: a*b+c must round twice everywhere, or int8 would differ between ISAs.
BASE     := -std=c11 -ffp-contract=off -fvisibility=hidden -fPIC -pthread -Iinclude $(WARN)
LDLIBS   := -pthread -lm

ARCH     := $(firstword $(subst -, ,$(shell $(CC) -dumpmachine)))
IS_GCC   := $(shell $(CC) --version 2>/dev/null | head -n 1 | grep -qi clang || echo yes)

# ---- instruction sets: one folder of kernels each; ISA flags appear here and nowhere else ----
ISAS_x86_64  := avx2 avx512 avx512vnni
ISAS_aarch64 := neon neondot
FLAGS_avx2       := -mavx2 -mfma
FLAGS_avx512     := -mavx512f -mavx512bw -mavx512dq -mavx512vl -mfma
FLAGS_avx512vnni := $(FLAGS_avx512) -mavx512vnni
# gcc's scheduling before register allocation lengthens lifetimes until accumulators spill; so do the short loops that -O2 leaves.
FLAGS_neon       := $(if $(IS_GCC),-O3 -fno-schedule-insns)
FLAGS_neondot    := $(FLAGS_neon) -march=armv8.2-a+dotprod
# An ISA is built when this is its architecture and its folder has sources.
ISAS     := $(foreach i,$(ISAS_$(ARCH)),$(if $(wildcard kernels/$(i)/*.c),$(i)))
HAVE     := $(foreach i,$(ISAS),-DOCT_HAVE_$(shell echo $(i) | tr a-z A-Z))
# Nothing is thrown through the library: tables for unwinding would be a twentieth of it.
NO_UNWIND    := -fno-asynchronous-unwind-tables -fno-unwind-tables
# What runs once for each model, mostly on names and shapes, is compiled for size.
SMALL        := -Os $(NO_UNWIND)
# gcc's partial redundancy elimination spills the accumulators of the dot-product loops to the stack.
# Kernels are unrolled by hand; -O3 would only add copies of their tails. The plain loops want vectors even where a tail is left over,
# and short loops over a tile must be gone before registers are given out.
KERNEL_FLAGS := -O2 $(NO_UNWIND) $(if $(IS_GCC),-fno-tree-pre -fvect-cost-model=dynamic -fpeel-loops)
PEAK_FLAGS   := -O3 $(if $(IS_GCC),-fno-tree-pre)

# ---- sources ----
LIB_SRC    := $(wildcard lib/*/*.c)
KERNEL_SRC := $(wildcard kernels/*.c kernels/scalar/*.c) $(foreach i,$(ISAS),$(wildcard kernels/$(i)/*.c))
TOOL_SRC   := $(wildcard tools/*.c)
# The peak loops of the instruction sets in this build; peak.c learns which by BENCH_PEAK_<ISA>.
PEAKS      := $(foreach i,scalar $(ISAS),$(if $(wildcard bench/peak_$(i).c),$(i)))
PEAK_HAVE  := $(foreach i,$(PEAKS),-DBENCH_PEAK_$(shell echo $(i) | tr a-z A-Z))
BENCH_SRC  := $(filter-out bench/peak_% bench/openblas.c,$(wildcard bench/*.c bench/*/*.c)) $(PEAKS:%=bench/peak_%.c)
ifdef OPENBLAS
BENCH_SRC  += bench/openblas.c
OPENBLAS_LIBS ?= -lopenblas
endif
TEST_SRC   := $(wildcard test/*.c)
EXAMPLES   := $(patsubst docs/examples/%.c,$(BUILD)/examples/%,$(wildcard docs/examples/*.c))

obj = $(patsubst %.c,$(BUILD)/obj/%.o,$(1))
LIB_OBJ    := $(call obj,$(LIB_SRC) $(KERNEL_SRC))
# What command and bench share: reading data files, printing tables and JSON.
SHARED_OBJ := $(call obj,$(wildcard tools/shared/*.c))
TOOL_OBJ   := $(call obj,$(TOOL_SRC)) $(SHARED_OBJ)
BENCH_OBJ  := $(call obj,$(BENCH_SRC)) $(SHARED_OBJ)
# The tests also try the bench's own parts, all but its main.
TEST_OBJ   := $(call obj,$(TEST_SRC)) $(SHARED_OBJ) $(filter-out %/octet_bench.o,$(BENCH_OBJ))

.PHONY: all lib test demo results asan tsan test-isas test-old-x86 test-neon install uninstall clean help
all: lib $(if $(TOOL_SRC),$(BUILD)/octet) $(if $(BENCH_SRC),$(BUILD)/octet-bench) $(EXAMPLES)
lib: $(BUILD)/liboctet.a $(BUILD)/liboctet.so

help:
	@echo "make            the library, the commands octet and octet-bench, the examples -> $(BUILD)/"
	@echo "make test       build and run all tests"
	@echo "make demo       the whole road on the in-tree model: import, quantize, evaluate, compare"
	@echo "make results    the tables of docs/RESULTS.md, from docs/results/*.json"
	@echo "make test-isas  the tests once per instruction set this machine has"
	@echo "make test-old-x86  the tests on an emulated CPU without AVX"
	@echo "make test-neon  cross-build for aarch64, run the tests under qemu"
	@echo "make asan tsan  the tests under the sanitizers"
	@echo "make install    into PREFIX=$(PREFIX); make uninstall takes it away again"
	@echo "make clean      removes $(BUILD)/"

# ---- compiling ----
# One short line per step; V=1 shows the commands.
Q := $(if $(V),,@)
SAY = $(if $(V),,@echo "  $(1)	$@")
FLAGS_OF = $(OPT)
$(BUILD)/obj/lib/%.o:            FLAGS_OF = $(OPT) $(NO_UNWIND) -Ilib/common -Ilib/runtime -Ikernels
$(BUILD)/obj/lib/common/%.o:     FLAGS_OF = $(OPT) $(NO_UNWIND) -Ilib/common
$(BUILD)/obj/lib/convert/%.o:    FLAGS_OF = $(SMALL) -Ilib/common -Ilib/runtime -Ilib/convert
# The loops of calibration that go over every activation and every weight.
BUSY := $(patsubst %,$(BUILD)/obj/lib/convert/%.o,observe weight_scales rounding_gptq histogram)
$(BUSY): FLAGS_OF = -O3 $(NO_UNWIND) -Ilib/common -Ilib/runtime -Ilib/convert
$(BUILD)/obj/kernels/%.o:        FLAGS_OF = $(KERNEL_FLAGS) -Ikernels
$(BUILD)/obj/kernels/dispatch.o: FLAGS_OF = $(OPT) $(NO_UNWIND) -Ikernels $(HAVE)
$(foreach i,$(ISAS),$(eval $(BUILD)/obj/kernels/$(i)/%.o: FLAGS_OF = $(KERNEL_FLAGS) -Ikernels $(FLAGS_$(i))))
$(BUILD)/obj/tools/%.o:          FLAGS_OF = $(OPT) -Itools/shared
$(BUILD)/obj/bench/%.o:          FLAGS_OF = $(OPT) -Ikernels -Itools/shared -Ibench $(if $(OPENBLAS),-DOCT_BENCH_OPENBLAS)
# What the figures' record says about how they came about.
RECORD := $(strip $(OPT) $(CFLAGS); kernels $(KERNEL_FLAGS))
$(BUILD)/obj/bench/record.o:     FLAGS_OF = $(OPT) -Itools/shared -Ibench -DBENCH_FLAGS='"$(RECORD)"'
$(BUILD)/obj/bench/peak.o:       FLAGS_OF = $(OPT) -Itools/shared -Ibench $(PEAK_HAVE)
$(foreach i,$(PEAKS),$(eval $(BUILD)/obj/bench/peak_$(i).o: FLAGS_OF = $(PEAK_FLAGS) -Ibench $(FLAGS_$(i))))
$(BUILD)/obj/test/%.o:           FLAGS_OF = $(OPT) -Itest -Ilib/common -Ilib/runtime -Ilib/convert -Ikernels -Itools/shared -Ibench

$(BUILD)/obj/%.o: %.c
	@mkdir -p $(@D)
	$(call SAY,CC)
	$(Q)$(CC) $(BASE) $(FLAGS_OF) $(CFLAGS) -MMD -MP -c $< -o $@

# Which instruction sets there are is part of dispatch.o and peak.o: they are compiled anew when that changes.
$(BUILD)/isas: FORCE
	@mkdir -p $(@D)
	@echo "$(HAVE) $(PEAK_HAVE)" | cmp -s - $@ || echo "$(HAVE) $(PEAK_HAVE)" > $@
$(BUILD)/obj/kernels/dispatch.o $(BUILD)/obj/bench/peak.o: $(BUILD)/isas
.PHONY: FORCE

# ---- linking ----
$(BUILD)/liboctet.a: $(LIB_OBJ)
	$(call SAY,AR)
	$(Q)rm -f $@ && $(AR) rcs $@ $^
$(BUILD)/liboctet.so: $(LIB_OBJ)
	$(call SAY,LD)
	$(Q)$(CC) -shared -Wl,-soname,liboctet.so $(CFLAGS) $(LDFLAGS) $^ -o $@ $(LDLIBS)
$(BUILD)/octet: $(TOOL_OBJ) $(BUILD)/liboctet.a
	$(call SAY,LD)
	$(Q)$(CC) $(CFLAGS) $(LDFLAGS) $^ -o $@ $(LDLIBS)
$(BUILD)/octet-bench: $(BENCH_OBJ) $(BUILD)/liboctet.a
	$(call SAY,LD)
	$(Q)$(CC) $(CFLAGS) $(LDFLAGS) $^ -o $@ $(OPENBLAS_LIBS) $(LDLIBS)
# The tests count the library's allocations and let one of them fail (test/alloc_hook.h), and plant a slow kernel
# (test/slow_kernel.h).
WRAP := -Wl,--wrap=aligned_alloc -Wl,--wrap=oct_gemm_u8s8_scalar
$(BUILD)/octet-test: $(TEST_OBJ) $(BUILD)/liboctet.a
	$(call SAY,LD)
	$(Q)$(CC) $(CFLAGS) $(LDFLAGS) $(WRAP) $^ -o $@ $(OPENBLAS_LIBS) $(LDLIBS)
$(BUILD)/examples/%: docs/examples/%.c $(BUILD)/liboctet.a
	@mkdir -p $(@D)
	$(call SAY,CC)
	$(Q)$(CC) -std=c11 -Iinclude -Wall -Wextra $(OPT) $(CFLAGS) $(LDFLAGS) $^ -o $@ $(LDLIBS)

# ---- the demo: the whole road on the in-tree model (demo/README.md) ----
DEMO := $(BUILD)/demo
demo: all
	@mkdir -p $(DEMO)
	$(BUILD)/octet import demo/digits.onnx -o $(DEMO)/digits.oct
	$(BUILD)/octet quantize $(DEMO)/digits.oct --calib demo/digits_calib.u8 --scale 1/255 -o $(DEMO)/digits.int8.oct
	$(BUILD)/octet-bench demo $(DEMO)/digits.oct $(DEMO)/digits.int8.oct \
	    --test demo/digits_test.u8 --labels demo/digits_test_labels.u8 --scale 1/255

# ---- docs/RESULTS.md: its tables from the figures in docs/results; the words between them stay ----
results: all
	$(BUILD)/octet-bench report $(wildcard docs/results/*.json) --markdown docs/RESULTS.md

# ---- testing ----
# The suite finds the built commands and examples beside itself, the test data in test/ and demo/, from the top of the tree.
TEST_ARGS ?=
test: all $(BUILD)/octet-test
	$(RUN) $(BUILD)/octet-test $(TEST_ARGS)

SANITIZE := -g -O1 -fno-omit-frame-pointer -fno-sanitize-recover=all
asan:
	$(MAKE) BUILD=$(BUILD)/asan CFLAGS="$(CFLAGS) $(SANITIZE) -fsanitize=address,undefined" test
tsan:
	$(MAKE) BUILD=$(BUILD)/tsan CFLAGS="$(CFLAGS) $(SANITIZE) -fsanitize=thread" test

# Newest instruction set removed first.
test-isas: all $(BUILD)/octet-test
	set -e; for isa in `$(BUILD)/octet-test --list-isas | sort -rn | cut -d" " -f2`; do \
	    echo "== $$isa"; $(BUILD)/octet-test --isa $$isa $(TEST_ARGS); done

# An x86 CPU without AVX: shows that no AVX instruction leaks into common code.
test-old-x86: all $(BUILD)/octet-test
	qemu-x86_64 -cpu Nehalem $(BUILD)/octet-test $(TEST_ARGS)

# Cross-built for aarch64; qemu as an ARMv8.0 CPU without dotprod, and as one with everything.
CROSS    ?= aarch64-linux-gnu-
SYSROOT  ?= /usr/aarch64-linux-gnu
test-neon:
	$(MAKE) CC=$(CROSS)gcc AR=$(CROSS)ar BUILD=$(BUILD)/aarch64 all $(BUILD)/aarch64/octet-test
	for cpu in cortex-a53 max; do echo "== qemu-aarch64 -cpu $$cpu"; \
	    QEMU_CPU=$$cpu TEST_RUNNER="qemu-aarch64 -L $(SYSROOT)" \
	    qemu-aarch64 -L $(SYSROOT) $(BUILD)/aarch64/octet-test $(TEST_ARGS) || exit 1; done

clean:
	rm -rf $(BUILD)

# ---- installing: headers, both libraries, both commands, and octet.pc for pkg-config ----
TO      := $(DESTDIR)$(PREFIX)
VERSION := $(shell sed -n 's/^.define OCT_VERSION "\(.*\)"/\1/p' include/octet.h)
install: lib $(BUILD)/octet $(BUILD)/octet-bench
	install -d "$(TO)/include" "$(TO)/lib/pkgconfig" "$(TO)/bin"
	install -m 644 include/*.h "$(TO)/include"
	install -m 644 $(BUILD)/liboctet.a "$(TO)/lib"
	install -m 755 $(BUILD)/liboctet.so "$(TO)/lib"
	install -m 755 $(BUILD)/octet $(BUILD)/octet-bench "$(TO)/bin"
	printf '%s\n' 'prefix=$(PREFIX)' 'Name: octet' 'Description: neural networks in FP32 and INT8 on CPUs' \
	    'Version: $(VERSION)' 'Cflags: -I$${prefix}/include' 'Libs: -L$${prefix}/lib -loctet' 'Libs.private: -lm -pthread' \
	    > "$(TO)/lib/pkgconfig/octet.pc"
uninstall:
	rm -f $(patsubst include/%,"$(TO)/include/%",$(wildcard include/*.h)) "$(TO)/lib/liboctet.a" "$(TO)/lib/liboctet.so" \
	    "$(TO)/lib/pkgconfig/octet.pc" "$(TO)/bin/octet" "$(TO)/bin/octet-bench"

-include $(shell find $(BUILD)/obj -name '*.d' 2>/dev/null)
