# Dear ImGui, its backends and ImPlot from the sources that scripts/gui-sources brings; targets that a user of app/gui links:
#   imgui          for the application
#   imgui_tested   the same with the hooks of the Dear ImGui Test Engine, and the engine: for tests only (own licence, never shipped)
#   implot         headers and objects for either; links neither
# Struct layouts are equal in both, so panels are compiled once.

set(GUI_SOURCES ${CMAKE_SOURCE_DIR}/.cache/gui-sources)
if(NOT EXISTS ${GUI_SOURCES}/pinned.txt)
  message(FATAL_ERROR "PHISCOPE_GUI=ON: the sources of Dear ImGui are not here; run scripts/setup --gui, or configure with PHISCOPE_GUI=OFF")
endif()
find_package(glfw3 3.3 REQUIRED)
find_package(Freetype REQUIRED)
find_package(OpenGL COMPONENTS OpenGL)

# Included as SYSTEM: their warnings are not ours.
add_library(gui_headers INTERFACE)
target_include_directories(gui_headers SYSTEM INTERFACE ${GUI_SOURCES}/imgui ${GUI_SOURCES}/imgui/backends ${GUI_SOURCES}/imgui/misc/cpp
                                                        ${GUI_SOURCES}/implot ${GUI_SOURCES})
target_compile_definitions(gui_headers INTERFACE IMGUI_ENABLE_FREETYPE IMGUI_DISABLE_OBSOLETE_FUNCTIONS IMGUI_IMPL_GLFW_DISABLE_WAYLAND
                                                 "IMPLOT_CUSTOM_NUMERIC_TYPES=(double)")

set(imgui_sources imgui.cpp imgui_draw.cpp imgui_tables.cpp imgui_widgets.cpp imgui_stacklayout.cpp misc/cpp/imgui_stdlib.cpp
                  misc/freetype/imgui_freetype.cpp backends/imgui_impl_glfw.cpp backends/imgui_impl_opengl3.cpp)
list(TRANSFORM imgui_sources PREPEND ${GUI_SOURCES}/imgui/)

# gui_library(<name> SOURCES <file>... DEFINITIONS <definition>...): somebody else's code, own warnings off.
function(gui_library name)
  cmake_parse_arguments(ARG "" "" "SOURCES;DEFINITIONS" ${ARGN})
  add_library(${name} STATIC ${ARG_SOURCES})
  target_link_libraries(${name} PUBLIC gui_headers glfw Freetype::Freetype ${CMAKE_DL_LIBS} PRIVATE Threads::Threads)
  target_compile_definitions(${name} PUBLIC ${ARG_DEFINITIONS})
  target_compile_options(${name} PRIVATE -w)
  if(PHISCOPE_SANITIZE)
    target_compile_options(${name} PRIVATE -fsanitize=${PHISCOPE_SANITIZE} -fno-omit-frame-pointer)
  endif()
endfunction()

gui_library(imgui SOURCES ${imgui_sources})
add_library(implot STATIC ${GUI_SOURCES}/implot/implot.cpp ${GUI_SOURCES}/implot/implot_items.cpp)
target_link_libraries(implot PUBLIC gui_headers)
target_compile_options(implot PRIVATE -w)

if(PHISCOPE_TESTS)
  set(engine_sources imgui_capture_tool imgui_te_context imgui_te_coroutine imgui_te_engine imgui_te_exporters imgui_te_perftool imgui_te_ui imgui_te_utils)
  list(TRANSFORM engine_sources PREPEND ${GUI_SOURCES}/imgui_test_engine/)
  list(TRANSFORM engine_sources APPEND .cpp)
  gui_library(imgui_tested SOURCES ${imgui_sources} ${engine_sources}
    DEFINITIONS IMGUI_ENABLE_TEST_ENGINE IMGUI_TEST_ENGINE_ENABLE_COROUTINE_STDTHREAD_IMPL=1 IMGUI_TEST_ENGINE_ENABLE_STD_FUNCTION=1)
  target_include_directories(imgui_tested SYSTEM PUBLIC ${GUI_SOURCES}/imgui_test_engine)
endif()
