# cmake -DNM=<nm> -DOBJECTS=<list> -P check_units.cmake
# Units with instruction flags must not emit weak symbols: the linker could choose their copy of a shared inline function for the whole
# program, and it would stop with an illegal instruction on an older processor.
foreach(object IN LISTS OBJECTS)
  if(NOT object MATCHES "kernels/(avx|amx)")
    continue()
  endif()
  math(EXPR checked "${checked} + 1")
  execute_process(COMMAND ${NM} -C ${object} OUTPUT_VARIABLE symbols COMMAND_ERROR_IS_FATAL ANY)
  string(REGEX MATCHALL "[^\n]* [WVu] [^\n]*" weak "${symbols}")
  if(weak)
    message(FATAL_ERROR "${object} emits shared inline code: ${weak}")
  endif()
endforeach()
if(NOT checked)
  message(FATAL_ERROR "no unit was checked")
endif()
