"""tuning.report"""
