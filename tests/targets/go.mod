module rsscope.test/targets

go 1.19
