module rsscope.test/scenarios

go 1.15
