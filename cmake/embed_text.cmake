# Text files compiled in: each becomes a C++ raw string literal in a generated file of the build folder.
#
#   phiscope_embed_text(<target> <output name> <file>...)
#
# writes <build>/embedded/<output name> with one row `{"<file name>", R"...(<content>)..."},` a file, to be included inside an array
# initializer, and adds it to the target. Run with -P (see below), it is the build step itself.

if(CMAKE_SCRIPT_MODE_FILE)
  set(rows "")
  string(REPLACE "|" ";" files "${INPUTS}")
  foreach(file IN LISTS files)
    file(READ "${file}" content)
    get_filename_component(name "${file}" NAME)
    string(FIND "${content}" ")embedded\"" end)
    if(NOT end EQUAL -1)
      message(FATAL_ERROR "${file}: contains the delimiter )embedded\" and cannot be embedded")
    endif()
    string(APPEND rows "{\"${name}\", R\"embedded(${content})embedded\"},\n")
  endforeach()
  file(WRITE "${OUTPUT}" "${rows}")
  return()
endif()

set(PHISCOPE_EMBED_SCRIPT ${CMAKE_CURRENT_LIST_FILE} CACHE INTERNAL "")

function(phiscope_embed_text target output)
  set(generated ${CMAKE_BINARY_DIR}/embedded/${output})
  string(REPLACE ";" "|" inputs "${ARGN}")
  add_custom_command(
    OUTPUT ${generated}
    COMMAND ${CMAKE_COMMAND} -DOUTPUT=${generated} "-DINPUTS=${inputs}" -P ${PHISCOPE_EMBED_SCRIPT}
    DEPENDS ${ARGN} ${PHISCOPE_EMBED_SCRIPT}
    COMMENT "Embedding ${output}"
    VERBATIM)
  target_sources(${target} PRIVATE ${generated})
  target_include_directories(${target} PRIVATE ${CMAKE_BINARY_DIR}/embedded)
endfunction()
